"""JSON Lines: one `EventDocument` per line and nothing else. The only format that can be imported and verified."""

from collections.abc import Sequence

import msgspec

from api.export.encoder import Encoder
from api.schemas.event import to_event_document
from eventstore.log.history import StoredEvent

_encoder = msgspec.json.Encoder()


class JsonLinesEncoder(Encoder):
    """Encodes one event per line, so that any sequence of whole lines is an export."""

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Return a line for each event."""
        return _encoder.encode_lines([to_event_document(event) for event in events])
