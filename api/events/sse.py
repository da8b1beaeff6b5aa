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
    """Return `event` with its position as the id."""
    # The data is one line. Every line is marked all the same: an unmarked one could pass for a field of ours.
    lines = _encoder.encode(to_event_document(event)).splitlines()
    return b"id: %d\ndata: %b\n\n" % (event.position, b"\ndata: ".join(lines))


def encode_position(position: int) -> bytes:
    """Return an id without data: a reader resumes after it, and reports no event."""
    return b"id: %d\n\n" % position


def encode_retry(milliseconds: int) -> bytes:
    """Return how long a client should wait before it reconnects."""
    return b"retry: %d\n\n" % milliseconds
