"""Snapshots: an item as it was at a version, told as the one event that all until then amount to.

Whoever folds a stream begins with its newest snapshot as if the item had been created so, and reads a bounded number of
events behind it. Snapshots are derived: without them everything is the same, only slower. Any may be deleted.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select

from eventstore import codec
from eventstore.database.dialect import in_ids, insert, numbers
from eventstore.events import Event, ItemCreated
from eventstore.log.tables import snapshots


class Snapshot(Struct, frozen=True):
    """An item as the event of its `version` left it."""

    item_id: int
    version: int
    #: The position of that event.
    position: int
    item: ItemCreated


def keep(connection: Connection, taken: Sequence[Snapshot]) -> None:
    """Store snapshots of events that are recorded."""
    rows = [
        {
            "item_id": snapshot.item_id,
            "version": snapshot.version,
            "position": snapshot.position,
            "type": snapshot.item.type,
            "data": codec.encode(snapshot.item),
        }
        for snapshot in taken
    ]
    insert(connection, snapshots, rows)


class Stored(Struct, frozen=True):
    """A snapshot as it is stored, whatever is in it."""

    item_id: int
    version: int
    position: int
    type: str
    data: str

    def event(self) -> Event:
        """Give what it tells, an ItemCreated if all is well. Raises UnknownEventTypeError or CorruptEventError."""
        return codec.decode(self.position, self.type, self.data)


_ITEMS = (
    select(snapshots.c.item_id)
    .where(snapshots.c.item_id > bindparam("after"))
    .distinct()
    .order_by(snapshots.c.item_id)
    .limit(bindparam("limit"))
)


def items_behind(connection: Connection, after: int, limit: int) -> Sequence[int]:
    """Give the ids of items that have snapshots: at most `limit`, in order, from behind the id `after`."""
    return connection.execute(_ITEMS, {"after": after, "limit": limit}).scalars().all()


def read(connection: Connection, item_ids: Iterable[int]) -> Iterator[Stored]:
    """Read all snapshots of the given items."""
    found = select(snapshots).where(in_ids(connection, snapshots.c.item_id, "item_ids"))
    rows = connection.execute(found, {"item_ids": numbers(connection, item_ids)})
    return (Stored(*row) for row in rows)


def discard(connection: Connection, wrong: Iterable[Stored]) -> None:
    """Delete snapshots."""
    for snapshot in wrong:
        this = (snapshots.c.item_id == snapshot.item_id, snapshots.c.version == snapshot.version)
        connection.execute(delete(snapshots).where(*this))
