"""Server-sent events (WHATWG HTML, section 9.2). Pure: an event in, bytes out.

No event has an `event` name, so one `onmessage` listener receives all of them, future types included.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from api.schemas.event import to_event_document
from eventstore.log.history import StoredEvent

_DATA_SCHEMA = {"contentMediaType": "application/json", "contentSchema": {"$ref": "#/components/schemas/EventDocument"}}


class ServerSentEvent(Struct, frozen=True):
    """An event as an `EventSource` receives it."""

    id: Annotated[str, Meta(pattern="^[0-9]+$", description="The event's position. Send it back as `Last-Event-ID`")]
    data: Annotated[
        str, Meta(description="The event as `GET /events/{position}` returns it", extra_json_schema=_DATA_SCHEMA)
    ]


MEDIA_TYPE = b"text/event-stream"

#: Keeps the connection alive. It has no empty line, since some readers report an event without data as an event.
COMMENT = b":\n"

_encoder = msgspec.json.Encoder()


def encode_event(event: StoredEvent) -> bytes:
    """Return `event` with its position as the id. Raises InconsistentLogError."""
    # One line: JSON text has no line end but between tokens, and `to_event_document` refuses one there.
    return b"id: %d\ndata: %b\n\n" % (event.position, _encoder.encode(to_event_document(event)))


def encode_position(position: int) -> bytes:
    """Return an id without data: a reader resumes after it, and reports no event."""
    return b"id: %d\n\n" % position


def encode_retry(milliseconds: int) -> bytes:
    """Return how long a client should wait before it reconnects."""
    return b"retry: %d\n\n" % milliseconds
