"""What a projection is, and how events reach its table. Live appends and replays use the same code."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy import Column, Connection, Integer, Table, Text, delete, select

from eventstore.database.bulk import upsert
from eventstore.database.parameters import in_ids, numbers
from eventstore.events import ItemEvent, RecordedEvent
from eventstore.log import log, replay_reader
from eventstore.log.replay_reader import ItemVersion
from eventstore.log.tables import BigInt, metadata

Row = Mapping[str, Any]
#: Rows by the table's key, None for a deleted row.
Changes = Mapping[int, Row | None]

#: The state of each projection: its table is the fold of the events 1 to `position`.
projections_table = Table(
    "projections",
    metadata,
    Column("name", Text, primary_key=True),
    #: The version of the code that created the table.
    Column("version", Integer, nullable=False),
    Column("position", BigInt, nullable=False),
)


class PriorState(Struct, frozen=True):
    """The state before a run of events that a projection may read: its own table, and the log."""

    connection: Connection
    table: Table
    #: The position before the run.
    position: int
    #: Whether to read events only, and nothing derived from them.
    ignore_snapshots: bool = False
    #: Changes of the table up to `position` that may not be written yet.
    pending: Changes = {}

    def rows(self, keys: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Read the table's rows that have one of `keys`, by key."""
        wanted = set(keys)
        rows = {key: dict(row) for key in wanted if (row := self.pending.get(key)) is not None}
        if stored := [key for key in wanted if key not in self.pending]:
            key_column, names = key_of(self.table), self.table.c.keys()
            matching = select(self.table).where(in_ids(self.connection, key_column, "keys"))
            for values in self.connection.execute(matching, {"keys": numbers(self.connection, stored)}):
                row = dict(zip(names, values, strict=True))
                rows[row[key_column.name]] = row
        return rows

    def latest_row(self) -> Row | None:
        """Read the row with the highest key."""
        key = key_of(self.table)
        deleted = [changed for changed, row in self.pending.items() if row is None]
        latest = select(self.table).where(key.not_in(deleted)).order_by(key.desc()).limit(1)
        stored = {row[key.name]: dict(row) for row in self.connection.execute(latest).mappings()}
        rows: dict[int, Row] = stored | {changed: row for changed, row in self.pending.items() if row}
        return rows[max(rows)] if rows else None

    def streams(self, item_ids: Iterable[int]) -> Iterator[RecordedEvent]:
        """Read the events, or snapshot and later events, of the given items; see log.read_streams."""
        ids = set(item_ids)
        if not ids:
            return iter(())
        return log.read_streams(self.connection, ids, through=self.position, ignore_snapshots=self.ignore_snapshots)

    def previous_events(self, events: Iterable[ItemEvent]) -> list[ItemEvent]:
        """Read up to two events before the first of `events`, for each item in `events`."""
        first: dict[int, int] = {}
        for event in events:
            first.setdefault(event.item_id, event.version)
        before = ((item_id, version - back) for item_id, version in first.items() for back in (2, 1) if version > back)
        return replay_reader.at(self.connection, [ItemVersion(*version) for version in before])


class Projection(Protocol):
    """A read model: a pure fold from a run of events to changed rows, whose key is a single integer column."""

    name: str
    #: Raise it when `fold` would return other rows for events that are folded already, or the columns change.
    version: int
    table: Table
    #: Whether each row belongs to one item, has its id as key, and depends on that item's events only. Then any row can
    #: be folded by itself, which makes it cheap to check and to repair.
    keyed_by_item: bool
    #: Whether each row depends on one item's events only, whatever its key. Then a replay reads the log item by item.
    replay_by_item: bool

    def load(self, before: PriorState, events: Sequence[ItemEvent]) -> Mapping[int, Row]:
        """Read the state before `events` that `fold` needs, including every stored row that `fold` will replace."""
        ...

    def fold(self, events: Sequence[ItemEvent], rows: Mapping[int, Row]) -> Changes:
        """Return each row that `events` change as it is after them, None for a deleted row."""
        ...


def key_of(table: Table) -> Column[Any]:
    """Return the single integer column that is the key of a projection's table."""
    (key,) = table.primary_key
    return key


def apply(connection: Connection, projection: Projection, table: Table, events: Sequence[ItemEvent]) -> Changes:
    """Fold a run of events into `table` (the projection's own, or a shadow of it), and return the changed rows."""
    before = PriorState(connection, table, events[0].position - 1)
    changes = projection.fold(events, projection.load(before, events))
    upsert(connection, table, [row for row in changes.values() if row is not None])
    remove(connection, table, [key for key, row in changes.items() if row is None])
    return changes


def remove(connection: Connection, table: Table, keys: Sequence[int]) -> None:
    """Delete the rows that have one of `keys`."""
    if keys:
        matching = delete(table).where(in_ids(connection, key_of(table), "keys"))
        connection.execute(matching, {"keys": numbers(connection, keys)})
