"""JSON Lines: one `EventDocument` a line, and nothing else. It is what a log can be brought back from."""

from collections.abc import Sequence

import msgspec

from api.schemas.event import to_event_document
from eventstore.log.history import StoredEvent

_encoder = msgspec.json.Encoder()


class JsonLinesEncoder:
    """See formats.Encoder."""

    def __init__(self, origin: str, resumed: bool) -> None:
        pass

    def begin(self) -> bytes:
        """Give nothing: any run of whole lines is an export."""
        return b""

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Give a line for each of `events`."""
        return _encoder.encode_lines([to_event_document(event) for event in events])

    def end(self) -> bytes:
        """Give nothing."""
        return b""
