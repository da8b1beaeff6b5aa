"""Server-sent events as WHATWG HTML (section 9.2) has them. Pure: an event in, bytes out.

No event has a name: one listener, `onmessage`, gets them all, those of types to come as well.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from api.schemas.event import document
from eventstore.log.history import StoredEvent


class ServerSentEvent(Struct, frozen=True):
    """An event as an `EventSource` gives it."""

    id: Annotated[str, Meta(pattern="^[0-9]+$", description="The event's position: what `Last-Event-ID` takes")]
    data: Annotated[
        str,
        Meta(
            description="The event, as `GET /events/{position}` gives it",
            extra_json_schema={
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": "#/components/schemas/EventDocument"},
            },
        ),
    ]


MEDIA_TYPE = b"text/event-stream"

#: Keeps the connection from being taken for dead. No empty line: it is no event, not even to readers who take one
#: without data for one.
COMMENT = b":\n"

_encoder = msgspec.json.Encoder()


def frame(event: StoredEvent) -> bytes:
    """Give `event`, its position as the id."""
    # The data is one line, as it was written. Were it more, what stands behind a line's end must not be taken for ours.
    lines = _encoder.encode(document(event)).splitlines()
    return b"id: %d\ndata: %b\n\n" % (event.position, b"\ndata: ".join(lines))


def place(position: int) -> bytes:
    """Give an id without data: a reader resumes from there, and is told of no event."""
    return b"id: %d\n\n" % position


def retry(milliseconds: int) -> bytes:
    """Tell how long to wait before connecting anew."""
    return b"retry: %d\n\n" % milliseconds
