"""CloudEvents 1.0 in the JSON Batch Format: one array, with one event per line.

`source`, the log's origin, and `id`, the position, identify an event globally. `sequence`, `correlationid` and
`causationid` are extensions documented by the CloudEvents project. Our own extensions contain the other columns. A
`traceparent` is missing, because the log only stores the id of a command's trace.
"""

from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from api.export.encoder import Encoder
from api.http.rfc3339 import format_time
from api.schemas.event import json_data
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
    #: The position, zero-padded, so that sorting the strings sorts the events.
    sequence: str
    correlationid: str | UnsetType = UNSET
    causationid: str | UnsetType = UNSET
    actor: str
    credential: str | UnsetType = UNSET
    commandid: str
    ordinal: int
    #: The version of the item after this event.
    itemversion: int
    fingerprint: str
    leafhash: str
    data: Raw


class CloudEventsEncoder(Encoder):
    """Encodes one event per line of an array."""

    def __init__(self, origin: str, resumed: bool) -> None:
        # An origin should be a URL without a scheme.
        self._source = "//" + quote(origin, safe="/:@!$&'()*,;=~-._")
        self._separator = b",\n" if resumed else b"\n"

    def begin(self) -> bytes:
        """Open the array."""
        return b"["

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Return a line for each event, without the end of the last one."""
        text = self._separator + b",\n".join([_encode(_cloud_event(event, self._source)) for event in events])
        self._separator = b",\n"
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
        credential=event.credential or UNSET,
        commandid=event.command_id,
        ordinal=event.ordinal,
        itemversion=event.version,
        fingerprint=event.fingerprint.hex(),
        leafhash=event.leaf_hash.hex(),
        data=json_data(event),
    )
