"""A transaction as data: all that a batch of commands writes. Pure code builds it, and the database commits it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, Protocol, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Table

from eventstore import codec
from eventstore.events import RecordedEvent
from eventstore.item import Transition
from eventstore.log.head import Head
from eventstore.log.past import Past
from eventstore.log.snapshots import Snapshot
from eventstore.log.tables import events
from eventstore.merkle import hashing

T = TypeVar("T")

Row = Mapping[str, Any]
#: Values in the order of a table's columns.
Values = tuple[Any, ...]


class RowChanges(Struct, frozen=True):
    """The changes of a table's rows by key. Each row has all columns of the projection's table."""

    #: Rows whose key the table does not have yet.
    insert: Mapping[int, Row] = {}
    #: Rows that replace the row with their key, if there is one.
    replace: Mapping[int, Row] = {}
    #: Numbers to add to the row with their key. If there is none, they become the row.
    add: Mapping[int, Row] = {}
    #: Keys of rows to delete.
    delete: Collection[int] = ()

    def of_empty_table(self, key: int) -> Row | None:
        """Return the row with `key` that a table has which was empty before."""
        return self.insert.get(key) or self.replace.get(key) or self.add.get(key)


class TableChanges(Struct, frozen=True):
    """The changes of one table of the database, which may have fewer columns than the projection's."""

    table: Table
    changes: RowChanges

    def set_values(self) -> list[Values]:
        """Return the rows to insert or to replace, as values of the table's columns."""
        return self._values(self.changes.insert, self.changes.replace)

    def added_values(self) -> list[Values]:
        """Return the rows to add, as values of the table's columns."""
        return self._values(self.changes.add)

    def _values(self, *rows: Mapping[int, Row]) -> list[Values]:
        return list(map(_getter(self.table), chain.from_iterable(part.values() for part in rows)))


@cache
def _getter(table: Table) -> Callable[[Row], Values]:
    return itemgetter(*table.c.keys())


class WriteSet(Struct, frozen=True):
    """Rows to write, and the log's head before and after. All is committed if the log is at `expected`, or nothing."""

    expected: Head
    head: Head
    #: Values of `events`, `log_tiles` and `snapshots`.
    events: Sequence[Values]
    tiles: Sequence[Values]
    snapshots: Sequence[Values]
    tables: Sequence[TableChanges]


#: Pure: makes a write set of what was read, None to write nothing, and a result of its own.
Decide = Callable[[Past], tuple[WriteSet | None, T]]


class Projector(Protocol):
    """Keeps read tables in step with the log: in the transaction that appends."""

    #: The `Head.tables_revision` at which it knows the tables, None before the first `refresh`.
    revision: int | None

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that `fold` changes, as the database has them."""
        ...

    def refresh(self, connection: Connection) -> None:
        """Find out, in a transaction of its own, which tables the database has."""
        ...

    def fold(self, transitions: Sequence[Transition]) -> Sequence[TableChanges]:
        """Return the changes that consecutive events make. Pure. Raises NewerTableError."""
        ...


def build(
    head: Head,
    transitions: Sequence[Transition],
    projector: Projector,
    snapshots: Sequence[Snapshot] = (),
) -> WriteSet:
    """Return what to write to append the events of `transitions`, RecordedEvents that continue the log, after `head`.

    Raises OldEventTypeError for an event that this version of the code only reads.
    """
    rows = [event_values(transition.event) for transition in transitions]  # type: ignore[arg-type]
    return extend(head, rows, projector.fold(transitions), snapshots)


def extend(
    head: Head, rows: Sequence[Values], tables: Sequence[TableChanges], snapshots: Sequence[Snapshot] = ()
) -> WriteSet:
    """Return what to write to append `rows` of `events`, with their hashes, after `head`.

    The caller ensures that positions continue the head's and that times never go back.
    """
    frontier, tiles = hashing.append(head.position, head.frontier, [row[_LEAF_HASH] for row in rows])
    moved = Head(head.position + len(rows), rows[-1][_RECORDED_AT], frontier, head.tables_revision)
    taken = [(s.item_id, s.version, s.position, s.item.type, codec.encode(s.item)) for s in snapshots]
    return WriteSet(head, moved, rows, tiles, taken, tables)


_NAMES = tuple(events.c.keys())
_LEAF_HASH, _RECORDED_AT = _NAMES.index("leaf_hash"), _NAMES.index("recorded_at")
_leaf = itemgetter(*(_NAMES.index(name) for name in codec.LEAF))


def event_values(recorded: RecordedEvent) -> Values:
    """Return the row of `events` for an event. Raises OldEventTypeError."""
    metadata = recorded.metadata
    row = (
        recorded.position,
        recorded.item_id,
        recorded.version,
        recorded.event.type,
        codec.encode(recorded.event),
        recorded.recorded_at,
        metadata.actor,
        metadata.credential,
        metadata.command_id,
        recorded.ordinal,
        metadata.fingerprint,
        metadata.correlation_id,
        metadata.causation_id,
    )
    return (*row, hashing.leaf_hash(codec.encode_leaf(_leaf(row))))
