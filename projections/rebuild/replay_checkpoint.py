"""The replay checkpoint: how far a replay has come in the log, and in which order it reads it."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from eventstore.errors import MissingEventsError
from eventstore.events import ItemEvent
from eventstore.log import replay_reader
from eventstore.log.replay_reader import ItemVersion


class ReplayCheckpoint(Struct, frozen=True):
    """How far a table has come in the log: it is the fold of the events 1 to `position`.

    The events 1 to `base`, the log's end when the replay began, are folded item by item, which writes most rows once
    and keeps one item's state. Until that is done, `position` is the number of events that were folded, up to `place`.
    """

    position: int = 0
    base: int = 0
    place: ItemVersion = ItemVersion()

    @property
    def whole(self) -> bool:
        """Whether the table is the fold of the events 1 to `position`."""
        return self.position >= self.base

    def read(self, connection: Connection, limit: int) -> list[ItemEvent]:
        """Read the next events, at most `limit`. Raises what `replay_reader.behind` raises."""
        if self.whole:
            return replay_reader.behind(connection, self.position, limit)
        events = replay_reader.by_item(connection, self.place, self.base, limit)
        if not events:
            raise MissingEventsError(self.base - self.position, 0, self.base)
        return events

    def behind(self, events: Sequence[ItemEvent]) -> "ReplayCheckpoint":
        """Return the checkpoint after `events`, which were read at this one, are folded."""
        last, position = events[-1], self.position + len(events)
        place = ItemVersion() if self.whole else ItemVersion(last.item_id, last.version)
        return ReplayCheckpoint(position, self.base, place)
