"""Events as they travel: the one document of an event that is queried, followed and exported."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Raw, Struct

from eventstore.history import StoredEvent

#: A time of RFC 3339, section 5.6: all before its seconds, these, and all behind them.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:)([0-9]{2})((?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Years after which the calendar is the same again, and their seconds.
_CYCLE = 400
_CYCLE_SECONDS = 146_097 * 86_400

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


def format_time(microseconds: int) -> str:
    """Write microseconds since the epoch as RFC 3339 in UTC, to the microsecond: `2026-11-24T08:00:00.000000Z`.

    A year that RFC 3339 can't write has more digits, or a sign. No such event is recorded any more; but where one is,
    it is not to keep any others from being shown.
    """
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_format_second(seconds)}.{rest:06d}Z"


@lru_cache  # what is exported comes in the order of time
def _format_second(seconds: int) -> str:
    cycles, rest = divmod(seconds, _CYCLE_SECONDS)
    moment = _EPOCH + timedelta(seconds=rest)
    return f"{moment.year + cycles * _CYCLE:04}{moment:-%m-%dT%H:%M:%S}"


def parse_time(text: str) -> int:
    """Read an RFC 3339 time with any offset as microseconds since the epoch; finer parts are cut.

    A leap second is the first second of the next minute. Raises ValueError.
    """
    if not (match := _TIME.fullmatch(text)):
        raise ValueError("Expected a time as RFC 3339 has it, with Z or an offset")
    minute, second, rest = match.groups()
    leap = int(second) == 60
    time = datetime.fromisoformat(f"{minute}{'59' if leap else second}{rest}".upper())
    return (time - _EPOCH) // _MICROSECOND + leap * 1_000_000
