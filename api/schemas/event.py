"""The JSON of an event: the same document in queries, streams and exports."""

from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import asdict

from api.http.rfc3339 import format_time, parse_time
from eventstore.errors import InconsistentLogError
from eventstore.log.history import StoredEvent

_raw = msgspec.json.Decoder(Raw).decode

_Int = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]
_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_CREDENTIAL = (
    "By which credential: `key:` and the id of an API key, or `jwt:` and the issuer of a token; null for `anonymous`. "
    "It tells apart two holders who had one name one after the other"
)
_DATA = "What happened, byte for byte as it is stored and hashed"


class EventDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """An event as stored in the log."""

    position: Annotated[_Int, Meta(description="1, 2, 3, ... without gaps, in commit order")]
    item_id: Annotated[_Int, Meta(description="The item's id: the position of the event that created it")]
    version: Annotated[_Int, Meta(description="The item's version after this event. The first event makes version 1")]
    type: Annotated[str, Meta(description="The event type, including its version")]
    recorded_at: Annotated[
        str, Meta(description="When the event was recorded: UTC, to the microsecond, never decreasing", pattern="Z$")
    ]
    actor: Annotated[str, Meta(description="Who made the change: the credential's holder, or `anonymous`")]
    credential: Annotated[str | None, Meta(description=_CREDENTIAL)]
    command_id: Annotated[str, Meta(description="Identifies the command. Unique in the log together with `ordinal`")]
    ordinal: Annotated[_Int, Meta(description="The index of this event among those of its command, from 0")]
    correlation_id: Annotated[str | None, Meta(description="The trace or request that the command was part of")]
    causation_id: Annotated[str | None, Meta(description="What caused the command, if known")]
    data: Annotated[Raw, Meta(description=_DATA, extra_json_schema={"type": "object"})]
    fingerprint: Annotated[_Hash, Meta(description="SHA-256 of the command as it was sent, in hexadecimal")]
    leaf_hash: Annotated[_Hash, Meta(description="The event's leaf hash in the Merkle tree, in hexadecimal")]


def json_data(event: StoredEvent) -> Raw:
    """Return the data of a stored event, to be put into JSON as it is stored.

    Raises InconsistentLogError where that would not be JSON, or not on one line: only the owner of the database can
    have stored it. `itemledger verify log` names such events, too.
    """
    data = event.data
    if data[:1] == "{" and data[-1:] == "}" and "\n" not in data and "\r" not in data:
        with suppress(ValueError, RecursionError):
            return _raw(data)
    raise InconsistentLogError(f"the data of event {event.position} is not a JSON object on one line")


def to_event_document(event: StoredEvent) -> EventDocument:
    """Return the document of a stored event. Raises InconsistentLogError; see `json_data`."""
    # Field by field: streams and exports run it for every event, and it takes half the time of `asdict`.
    return EventDocument(
        position=event.position,
        item_id=event.item_id,
        version=event.version,
        type=event.type,
        recorded_at=format_time(event.recorded_at),
        actor=event.actor,
        credential=event.credential,
        command_id=event.command_id,
        ordinal=event.ordinal,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        data=json_data(event),
        fingerprint=event.fingerprint.hex(),
        leaf_hash=event.leaf_hash.hex(),
    )


def to_stored_event(document: EventDocument) -> StoredEvent:
    """Return the stored event of `document`, byte for byte. Raises ValueError."""
    columns = asdict(document) | {
        "data": bytes(document.data).decode(),
        "recorded_at": parse_time(document.recorded_at),
        "fingerprint": bytes.fromhex(document.fingerprint),
        "leaf_hash": bytes.fromhex(document.leaf_hash),
    }
    return StoredEvent(**columns)
