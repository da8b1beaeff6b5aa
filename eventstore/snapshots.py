"""Snapshots: an item as it was at a version, told as the one event that all until then amount to.

Whoever folds a stream begins with its newest snapshot as if the item had been created so, and reads a bounded number of
events behind it. Snapshots are derived: without them everything is the same, only slower. Any may be deleted.
"""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection

from eventstore import codec
from eventstore.dialect import insert
from eventstore.events import ItemCreated
from eventstore.tables import snapshots


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
