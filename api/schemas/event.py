"""Events as they travel: the one document of an event that is queried, followed and exported."""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from api.http.rfc3339 import format_time, parse_time
from eventstore.log.history import StoredEvent

_Int = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]
_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class EventDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """An event as the log holds it."""

    position: Annotated[_Int, Meta(description="1, 2, 3, ... without a gap, in the order of commits")]
    item_id: Annotated[_Int, Meta(description="The item: the position of the event that created it")]
    version: Annotated[_Int, Meta(description="The version that the item has since: 1 for its first event")]
    type: Annotated[str, Meta(description="What happened, with the version of its form")]
    recorded_at: Annotated[
        str, Meta(description="When, UTC, to the microsecond; never before the event before", pattern="Z$")
    ]
    actor: Annotated[str, Meta(description="Who: the credential's name, or `anonymous`")]
    command_id: Annotated[str, Meta(description="Identifies the command; with `ordinal` it is unique in the log")]
    ordinal: Annotated[_Int, Meta(description="Which of its command's events this is, from 0")]
    correlation_id: Annotated[str | None, Meta(description="The trace or request that the command belonged to")]
    causation_id: Annotated[str | None, Meta(description="What caused the command, where that is known")]
    data: Annotated[
        Raw,
        Meta(
            description="What happened, byte for byte as it is stored and hashed", extra_json_schema={"type": "object"}
        ),
    ]
    fingerprint: Annotated[_Hash, Meta(description="SHA-256 of the command as it was sent, in hexadecimal")]
    leaf_hash: Annotated[_Hash, Meta(description="The event's hash in the Merkle tree, in hexadecimal")]


def document(event: StoredEvent) -> EventDocument:
    """Give the document of a stored event."""
    return EventDocument(
        position=event.position,
        item_id=event.item_id,
        version=event.version,
        type=event.type,
        recorded_at=format_time(event.recorded_at),
        actor=event.actor,
        command_id=event.command_id,
        ordinal=event.ordinal,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        data=Raw(event.data.encode()),
        fingerprint=event.fingerprint.hex(),
        leaf_hash=event.leaf_hash.hex(),
    )


def stored(document: EventDocument) -> StoredEvent:
    """Give back the stored event that `document` is of, to the last byte. Raises ValueError."""
    return StoredEvent(
        position=document.position,
        item_id=document.item_id,
        version=document.version,
        type=document.type,
        data=bytes(document.data).decode(),
        recorded_at=parse_time(document.recorded_at),
        actor=document.actor,
        command_id=document.command_id,
        ordinal=document.ordinal,
        fingerprint=bytes.fromhex(document.fingerprint),
        correlation_id=document.correlation_id,
        causation_id=document.causation_id,
        leaf_hash=bytes.fromhex(document.leaf_hash),
    )
