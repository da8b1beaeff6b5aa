"""CloudEvents 1.0 in the JSON Batch Format: one array of all events, each on a line of its own.

An event's `source` is the log's origin, its `id` the position: together they name it in the world. `sequence`,
`correlationid` and `causationid` are extensions that the CloudEvents project describes; the rest of what the log holds
of an event is in extensions of the log's own. There is no `traceparent`: of the trace that a command belonged to the
log keeps the id alone.
"""

from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from api.http.rfc3339 import format_time
from eventstore.log.history import StoredEvent

_encode = msgspec.json.Encoder().encode


class CloudEvent(Struct, frozen=True, kw_only=True):
    """An event of the log as a CloudEvent."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    #: The position, with zeros in front, so that the order of texts is that of events.
    sequence: str
    correlationid: str | UnsetType = UNSET
    causationid: str | UnsetType = UNSET
    actor: str
    commandid: str
    ordinal: int
    #: The version that the item has since.
    itemversion: int
    fingerprint: str
    leafhash: str
    data: Raw


class CloudEventsEncoder:
    """See formats.Encoder."""

    def __init__(self, origin: str, resumed: bool) -> None:
        # As the schema-less URL that an origin should be.
        self._source = "//" + quote(origin, safe="/:@!$&'()*,;=~-._")
        self._between = b",\n" if resumed else b"\n"

    def begin(self) -> bytes:
        """Open the array."""
        return b"["

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Give a line for each of `events`, but for the last one's end."""
        text = self._between + b",\n".join([_encode(_cloud_event(event, self._source)) for event in events])
        self._between = b",\n"
        return text

    def end(self) -> bytes:
        """Close the array."""
        return b"\n]\n"


def _cloud_event(event: StoredEvent, source: str) -> CloudEvent:
    return CloudEvent(
        id=str(event.position),
        source=source,
        type=event.type,
        subject=f"items/{event.item_id}",
        time=format_time(event.recorded_at),
        sequence=f"{event.position:019}",
        correlationid=event.correlation_id or UNSET,
        causationid=event.causation_id or UNSET,
        actor=event.actor,
        commandid=event.command_id,
        ordinal=event.ordinal,
        itemversion=event.version,
        fingerprint=event.fingerprint.hex(),
        leafhash=event.leaf_hash.hex(),
        data=Raw(event.data.encode()),
    )
