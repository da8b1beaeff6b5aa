"""Server-sent events as a browser reads them: WHATWG HTML, sections 9.2.5 and 9.2.6, from the text of the standard."""

import re
from collections.abc import Iterator

from msgspec import Struct

_LINE = re.compile(rb"(.*?)(\r\n|\n|\r(?!\Z))", re.DOTALL)


class Event(Struct, frozen=True):
    """An event as it is dispatched."""

    id: str
    type: str
    data: str


class EventReader:
    """Reads a stream piece by piece; what it knows at its end is what the next connection begins with."""

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry: int | None = None
        self.comments = 0
        self._rest = b""
        self._id = last_event_id
        self._type = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Return the events that `piece` makes whole."""
        self._rest += piece
        while line := _LINE.match(self._rest):
            self._rest = self._rest[line.end() :]
            if event := self._take(line[1].decode()):
                yield event

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "":
                self.comments += 1
            case "event":
                self._type = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if re.fullmatch("[0-9]+", value):
                self.retry = int(value)
        return None

    def _dispatch(self) -> Event | None:
        self.last_event_id = self._id
        data, type_ = self._data, self._type
        self._data, self._type = [], ""
        return Event(self.last_event_id, type_ or "message", "\n".join(data)) if data else None
