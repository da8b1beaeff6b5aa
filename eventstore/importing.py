"""Taking over what another log holds: every event is checked before it is written, and nothing of it is changed.

What goes in is what was recorded elsewhere: positions, times, command ids and hashes as they are. Each leaf hash is
worked out anew from the other columns, so that an event that was changed since it was recorded is refused.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from eventstore import codec, log, merkle
from eventstore.errors import CorruptEventError, RefusedEventError, UnknownEventTypeError
from eventstore.events import Metadata, RecordedEvent
from eventstore.history import StoredEvent, leaf
from eventstore.log import Head

#: What the column holds.
_LAST_ORDINAL = 2**31 - 1


def take_over(connection: Connection, head: Head, events: Sequence[StoredEvent]) -> tuple[Head, list[RecordedEvent]]:
    """Write `events` behind `head` and move the head; give the new head and the events as a projection wants them.

    The caller holds the append lock and read `head` under it. Raises RefusedEventError for the first event that does
    not belong there, or is not what its leaf hash says.
    """
    recorded = _check(connection, head, events)
    try:
        with connection.begin_nested():
            return log.extend(connection, head, [msgspec.structs.asdict(event) for event in events]), recorded
    except IntegrityError:
        _find_repeated(connection, events)
        raise


def _check(connection: Connection, head: Head, events: Sequence[StoredEvent]) -> list[RecordedEvent]:
    """Give `events` as recorded. Raises RefusedEventError."""
    versions = log.lengths(connection, {event.item_id for event in events if event.item_id <= head.position})
    last, recorded = head.recorded_at, []
    for due, event in enumerate(events, head.position + 1):
        if event.position != due:
            raise RefusedEventError(event.position, f"position {due} is due")
        if event.recorded_at < last:
            raise RefusedEventError(due, "it was recorded before the event before it")
        _check_version(event, versions)
        if event.leaf_hash != merkle.leaf_hash(leaf(event)):
            raise RefusedEventError(due, "its leaf hash is not that of what it says")
        recorded.append(_recorded(event))
        last, versions[event.item_id] = event.recorded_at, event.version
    return recorded


def _check_version(event: StoredEvent, versions: dict[int, int]) -> None:
    before = versions.get(event.item_id, 0)
    if event.version != before + 1:
        raise RefusedEventError(event.position, f"version {before + 1} of item {event.item_id} is due")
    if not before and event.item_id != event.position:
        raise RefusedEventError(event.position, "an item's id is the position of its first event")


def _recorded(event: StoredEvent) -> RecordedEvent:
    if len(event.fingerprint) != merkle.HASH_SIZE:
        raise RefusedEventError(event.position, "its fingerprint is no SHA-256")
    if event.ordinal > _LAST_ORDINAL:
        raise RefusedEventError(event.position, "its ordinal is too large")
    try:
        fact = codec.decode(event.position, event.type, event.data)
    except (UnknownEventTypeError, CorruptEventError) as error:
        raise RefusedEventError(event.position, str(error)) from None
    metadata = Metadata(event.command_id, event.actor, event.fingerprint, event.correlation_id, event.causation_id)
    return RecordedEvent(event.position, event.item_id, event.version, event.recorded_at, fact, metadata, event.ordinal)


def _find_repeated(connection: Connection, events: Sequence[StoredEvent]) -> None:
    """Raise RefusedEventError for the first event of a command and ordinal that were there before."""
    earlier = log.read_commands(connection, {event.command_id for event in events})
    there = {(one.metadata.command_id, one.ordinal): one.position for one in earlier}
    for event in events:
        position = there.setdefault((event.command_id, event.ordinal), event.position)
        if position != event.position:
            reason = f"its command and ordinal are those of event {position}"
            raise RefusedEventError(event.position, reason)
