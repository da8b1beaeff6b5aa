"""The log's events as the code knows them."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from eventstore import codec
from eventstore.events import Metadata, RecordedEvent
from eventstore.log import history
from eventstore.log.history import Filter, StoredEvent
from eventstore.log.snapshots import Snapshot
from eventstore.log.tables import snapshots


def read_all(connection: Connection, after: int = 0, limit: int = 1_000_000) -> list[RecordedEvent]:
    """Read at most `limit` events behind position `after`, in position order, which is commit order."""
    return list(map(_recorded, history.read(connection, Filter(after=after), limit)))


def save(connection: Connection, taken: Sequence[Snapshot]) -> None:
    """Store snapshots."""
    rows = [(s.item_id, s.version, s.position, s.item.type, codec.encode(s.item)) for s in taken]
    if rows:
        connection.execute(insert(snapshots), [dict(zip(snapshots.c.keys(), row, strict=True)) for row in rows])


def _recorded(event: StoredEvent) -> RecordedEvent:
    metadata = Metadata(
        *(event.command_id, event.actor, event.credential, event.fingerprint, event.correlation_id, event.causation_id)
    )
    decoded = codec.decode(event.position, event.type, event.data)
    return RecordedEvent(
        event.position, event.item_id, event.version, event.recorded_at, decoded, metadata, event.ordinal
    )
