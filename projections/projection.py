"""What a projection is. Live appends and replays use the same fold."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Column, Connection, Integer, Table, Text, delete

from eventstore.database.bulk import upsert
from eventstore.database.parameters import in_ids, numbers
from eventstore.item import Transition
from eventstore.log.head import note_changed_tables
from eventstore.log.tables import key_of, metadata
from eventstore.log.write_set import RowChanges

#: The projections that have a table. Their tables are folds of the whole log, so their position is the log's.
projections_table = Table(
    "projections",
    metadata,
    Column("name", Text, primary_key=True),
    #: The version of the code that created the table.
    Column("version", Integer, nullable=False),
)


class Projection(Protocol):
    """A read model: a pure fold from transitions of items to changed rows, whose key is a single integer column."""

    name: str
    #: Raise it when `fold` would return other rows for events that are folded already, or the columns change.
    version: int
    table: Table
    #: Whether each row belongs to one item, has its id as key, and depends on that item's events only. Then any row can
    #: be folded by itself, which makes it cheap to check and to repair.
    keyed_by_item: bool

    def fold(self, transitions: Sequence[Transition]) -> RowChanges:
        """Return the changes that events make, of which each item's are consecutive.

        A replay may pass the events item by item, and in portions: the changes depend on nothing else.
        """
        ...


def set_version(connection: Connection, name: str, version: int) -> None:
    """Record the version of a projection's table in the transaction that changes it."""
    upsert(connection, projections_table, [{"name": name, "version": version}])
    note_changed_tables(connection)


def remove(connection: Connection, table: Table, keys: Sequence[int]) -> None:
    """Delete the rows that have one of `keys`."""
    if keys:
        matching = delete(table).where(in_ids(connection, key_of(table), "keys"))
        connection.execute(matching, {"keys": numbers(connection, keys)})
