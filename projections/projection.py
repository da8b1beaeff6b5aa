"""What a projection is, and the one way that events reach its table: live and in a replay alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Integer, Table, Text, delete, select

from eventstore.database.bulk import upsert
from eventstore.database.parameters import in_ids, numbers
from eventstore.events import ItemEvent, RecordedEvent
from eventstore.log import log, replay_reader
from eventstore.log.replay_reader import ItemVersion
from eventstore.log.tables import BigInt, metadata

Row = Mapping[str, Any]
#: Rows by the table's key, None for one that is no more.
Changes = Mapping[int, Row | None]

#: How far each projection has come: its table is the fold of the events 1 to `position`.
checkpoints = Table(
    "projections",
    metadata,
    Column("name", Text, primary_key=True),
    #: The version of the code that the table was made by.
    Column("version", Integer, nullable=False),
    Column("position", BigInt, nullable=False),
)


class PriorState:
    """What a projection can look up of the time before a run of events: its table as they find it, and the log."""

    def __init__(
        self,
        connection: Connection,
        table: Table,
        position: int,
        *,
        whole: bool = False,
        pending: Changes | None = None,
    ) -> None:
        """Look back from behind `position`. `whole`: to events alone, and at nothing that was derived from them.

        `pending` are changes of the table that lead there, and that may still be on their way into it.
        """
        self._connection = connection
        self._table = table
        self._position = position
        self._whole = whole
        self._pending = pending or {}

    def rows(self, keys: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Read those of the table's rows that have one of `keys`, by key."""
        pending = self._pending
        stored, changed = list[int](), dict[int, dict[str, Any]]()
        for key in keys:
            if key not in pending:
                stored.append(key)
            elif (row := pending[key]) is not None:
                changed[key] = dict(row)
        return self._stored(stored) | changed

    def latest_row(self) -> Row | None:
        """Read the row with the highest key."""
        key = key_of(self._table)
        gone = [changed for changed, row in self._pending.items() if row is None]
        last = select(self._table).where(key.not_in(gone)).order_by(key.desc()).limit(1)
        found = map(dict, self._connection.execute(last).mappings())
        rows = {row[key.name]: row for row in found} | {changed: row for changed, row in self._pending.items() if row}
        return rows[max(rows)] if rows else None

    def streams(self, item_ids: Iterable[int]) -> Iterator[RecordedEvent]:
        """Read what the given items come from; see log.read_streams."""
        wanted = set(item_ids)
        if not wanted:
            return iter(())
        return log.read_streams(self._connection, wanted, through=self._position, ignore_snapshots=self._whole)

    def previous_events(self, events: Iterable[ItemEvent]) -> list[ItemEvent]:
        """Read of each item that `events` happened to the two events before, if there are so many."""
        first: dict[int, int] = {}
        for event in events:
            first.setdefault(event.item_id, event.version)
        before = ((item_id, version - back) for item_id, version in first.items() for back in (2, 1) if version > back)
        return replay_reader.at(self._connection, [ItemVersion(*place) for place in before])

    def _stored(self, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        if not keys:
            return {}
        key, names = key_of(self._table), self._table.c.keys()
        place = names.index(key.name)
        found = select(self._table).where(in_ids(self._connection, key, "keys"))
        rows = self._connection.execute(found, {"keys": numbers(self._connection, keys)}).all()
        return {row[place]: dict(zip(names, row, strict=True)) for row in rows}


class Projection(Protocol):
    """A read model: a pure fold from a run of events to the rows that change, keyed by the table's one-column key."""

    name: str
    #: Raise it when `fold` would answer otherwise for events that were folded before, or the table has other columns.
    version: int
    table: Table
    #: Whether each row is of one item, has its id for key, and comes of that item's events alone. Then any of them can
    #: be folded by itself, which makes it cheap to check and to mend.
    keyed_by_item: bool
    #: Whether each row comes of one item's events alone, whatever its key. Then a replay reads the log item by item.
    replay_by_item: bool

    def load(self, before: PriorState, events: Sequence[ItemEvent]) -> Mapping[int, Row]:
        """Read what `fold` needs to know of the time before `events`.

        A row that the table has and that `fold` will give anew is among them.
        """
        ...

    def fold(self, events: Sequence[ItemEvent], rows: Mapping[int, Row]) -> Changes:
        """Give each row that `events` change as it is after them, None where there is none any more."""
        ...


def key_of(table: Table) -> Column[Any]:
    """Give the one column that a projection's rows are told apart by: an integer."""
    (key,) = table.primary_key
    return key


def apply(connection: Connection, projection: Projection, table: Table, events: Sequence[ItemEvent]) -> Changes:
    """Fold a run of events into `table` (the projection's own, or a shadow of it), and give the rows that changed."""
    before = PriorState(connection, table, events[0].position - 1)
    changes = projection.fold(events, projection.load(before, events))
    upsert(connection, table, [row for row in changes.values() if row is not None])
    remove(connection, table, [key for key, row in changes.items() if row is None])
    return changes


def remove(connection: Connection, table: Table, keys: Sequence[int]) -> None:
    """Delete the rows that have one of `keys`."""
    if keys:
        gone = delete(table).where(in_ids(connection, key_of(table), "keys"))
        connection.execute(gone, {"keys": numbers(connection, keys)})
