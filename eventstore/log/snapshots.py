"""Snapshots: the state of an item at a version, stored as one ItemCreated event.

A reader that folds a stream starts from the newest snapshot as if the item had been created there, and reads a bounded
number of events after it. Snapshots are derived: without them results are the same, only slower. Any may be deleted.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select

from eventstore import codec
from eventstore.database.parameters import in_ids, numbers
from eventstore.events import Event, ItemCreated
from eventstore.log.tables import snapshots


class Snapshot(Struct, frozen=True):
    """The state of an item after the event of its `version`."""

    item_id: int
    version: int
    #: The position of that event.
    position: int
    item: ItemCreated


class Stored(Struct, frozen=True):
    """A stored snapshot, not validated."""

    item_id: int
    version: int
    position: int
    type: str
    data: str

    def event(self) -> Event:
        """Return the decoded event; an ItemCreated if valid. Raises UnknownEventTypeError or CorruptEventError."""
        return codec.decode(self.position, self.type, self.data)


_ITEMS = (
    select(snapshots.c.item_id)
    .where(snapshots.c.item_id > bindparam("after"))
    .distinct()
    .order_by(snapshots.c.item_id)
    .limit(bindparam("limit"))
)


def items_behind(connection: Connection, after: int, limit: int) -> Sequence[int]:
    """Return the ids of at most `limit` items with snapshots, in order, greater than `after`."""
    return connection.execute(_ITEMS, {"after": after, "limit": limit}).scalars().all()


def read(connection: Connection, item_ids: Iterable[int]) -> Iterator[Stored]:
    """Read all snapshots of the given items."""
    found = select(snapshots).where(in_ids(connection, snapshots.c.item_id, "item_ids"))
    rows = connection.execute(found, {"item_ids": numbers(connection, item_ids)})
    return (Stored(*row) for row in rows)


def delete(connection: Connection, wrong: Iterable[Stored]) -> None:
    """Delete stored snapshots."""
    for snapshot in wrong:
        this = (snapshots.c.item_id == snapshot.item_id, snapshots.c.version == snapshot.version)
        connection.execute(snapshots.delete().where(*this))
