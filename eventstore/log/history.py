"""The history as it is stored: events filtered by their recorded columns, in either direction, none of them decoded.

Auditors read, follow, export and verify the log byte for byte. Projections read `log.py` instead. Every query follows
an index in position order, so nothing is sorted.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, literal, select

from eventstore import codec
from eventstore.database.functions import between, no_index
from eventstore.log.head import END
from eventstore.log.tables import BigInt, events

#: The most events that one page of a filter reads, where the index does not cover all values of the filter.
SCAN_LIMIT = 10_000


class StoredEvent(Struct, frozen=True):
    """A row of `events`, column by column; see `tables.py` and `events.RecordedEvent`."""

    position: int
    item_id: int
    version: int
    type: str
    #: The exact JSON text that was written.
    data: str
    #: Microseconds since the epoch, UTC.
    recorded_at: int
    actor: str
    credential: str | None
    command_id: str
    ordinal: int
    #: SHA-256 of the command as sent, 32 bytes.
    fingerprint: bytes
    correlation_id: str | None
    causation_id: str | None
    #: SHA-256 of 0x00 and the leaf, 32 bytes; see `leaf`.
    leaf_hash: bytes


_leaf = attrgetter(*codec.LEAF)


def leaf(event: StoredEvent) -> bytes:
    """Return the bytes that the tree's leaf of `event` commits to: all columns but the hash."""
    return codec.encode_leaf(_leaf(event))


class Filter(Struct, frozen=True):
    """Selects the events that have all the given values, between two positions."""

    item_id: int | None = None
    type: str | None = None
    actor: str | None = None
    credential: str | None = None
    correlation_id: str | None = None
    command_id: str | None = None
    #: Only events after this position, and before that one.
    after: int = 0
    before: int = END


#: The columns that a filter can compare with a value.
_EQUAL = ("item_id", "type", "actor", "credential", "correlation_id", "command_id")


class _IndexPath(Struct, frozen=True):
    """An index that finds events: by columns with a given value, then by one that grows with the position."""

    equality_columns: tuple[str, ...]
    range_column: str


#: The first path whose columns a filter has values for is used; those that find the fewest events come first. Only
#: (actor, type) has a combined index. Other combinations use one index and filter the rest row by row.
_INDEX_PATHS = (
    _IndexPath(("command_id",), "ordinal"),
    _IndexPath(("correlation_id",), "position"),
    _IndexPath(("item_id",), "version"),
    _IndexPath(("actor", "type"), "position"),
    _IndexPath(("credential",), "position"),
    _IndexPath(("actor",), "position"),
    _IndexPath(("type",), "position"),
    _IndexPath((), "position"),
)


def selection(chosen: Filter, limit: int, *, newest_first: bool = False) -> tuple[Select[Any], dict[str, object]]:
    """Return the statement for at most `limit` of the events `chosen`, in position order, and its parameters.

    Its columns are the fields of `StoredEvent`.
    """
    values = _values(chosen)
    return _events(tuple(values), newest_first), {**values, **_bounds(chosen), "limit": limit}


def scan_limit_query(chosen: Filter, *, newest_first: bool = False) -> tuple[Select[Any], dict[str, object]] | None:
    """Return the statement for the position of the last event that a page of `chosen` may read, and its parameters.

    The statement has no row where fewer events are to be read. Returns None where the index finds only events that
    match, or few.
    """
    values = _values(chosen)
    path = _index_path(tuple(values))
    if path.range_column == "ordinal" or len(path.equality_columns) == len(values):
        return None
    equal = {name: values[name] for name in path.equality_columns}
    return _scan_limit(path, newest_first), equal | _bounds(chosen) | {"skip": SCAN_LIMIT - 1}


def matches(chosen: Filter, event: StoredEvent) -> bool:
    """Return whether `event` has all the values of `chosen`, at whatever position."""
    return all((value := getattr(chosen, name)) is None or value == getattr(event, name) for name in _EQUAL)


def read(connection: Connection, chosen: Filter, limit: int, *, newest_first: bool = False) -> Iterator[StoredEvent]:
    """Read at most `limit` of the events `chosen`, in position order, or the newest first."""
    statement, parameters = selection(chosen, limit, newest_first=newest_first)
    return (StoredEvent(*row) for row in connection.execute(statement, parameters))


def position_at(time: ColumnElement[int]) -> ColumnElement[int]:
    """Return the position of the last event recorded at `time` or before, 0 where there is none.

    `time` is in microseconds since the epoch. Times never decrease with the position, and positions have no gap, so no
    index on the time is needed.
    """
    return _last_at_or_before(lambda position: select(events.c.recorded_at).where(events.c.position == position), time)


def position_of(item_id: ColumnElement[int], version: ColumnElement[int]) -> ColumnElement[int]:
    """Return the position of the event that gave an item this version: one look-up a row."""
    found = select(events.c.position).where(events.c.item_id == item_id, events.c.version == version)
    return found.scalar_subquery()


def _values(chosen: Filter) -> dict[str, object]:
    return {name: value for name in _EQUAL if (value := getattr(chosen, name)) is not None}


def _bounds(chosen: Filter) -> dict[str, object]:
    return {"after": chosen.after, "before": chosen.before}


def _index_path(names: tuple[str, ...]) -> _IndexPath:
    return next(path for path in _INDEX_PATHS if set(path.equality_columns) <= set(names))


@lru_cache
def _events(names: tuple[str, ...], newest_first: bool) -> Select[Any]:
    path = _index_path(names)
    residual_filters = (
        no_index(events.c[name]) == bindparam(name) for name in names if name not in path.equality_columns
    )
    columns = (events.c[name] for name in StoredEvent.__struct_fields__)
    return _scan(select(*columns).where(*residual_filters), path, newest_first).limit(bindparam("limit"))


@lru_cache
def _scan_limit(path: _IndexPath, newest_first: bool) -> Select[Any]:
    return _scan(select(events.c.position), path, newest_first).offset(bindparam("skip")).limit(1)


def _scan(statement: Select[Any], path: _IndexPath, newest_first: bool) -> Select[Any]:
    """Return `statement` restricted to the part of an index between two positions, in the order of the index."""
    columns = [events.c[name] for name in (*path.equality_columns, path.range_column)]
    values = [bindparam(name, type_=events.c[name].type) for name in path.equality_columns]
    after, before, *residual_filters = _ends(path)
    part = between(*columns, *values, after, before)
    # Implied by the values. PostgreSQL needs it to use a partial index.
    not_null = (column.is_not(None) for column in columns if column.nullable)
    return statement.where(part, *not_null, *residual_filters).order_by(
        *(c.desc() if newest_first else c for c in columns)
    )


def _ends(path: _IndexPath) -> tuple[ColumnElement[Any], ...]:
    """Return the open range of the path's last column for events between two positions, and any residual filters."""
    after, before = (bindparam(name, type_=BigInt) for name in ("after", "before"))
    match path.range_column:
        case "version":  # 1, 2, 3, ... without a gap within an item
            return _version_at(after), _version_at(before - 1) + 1
        case "ordinal":  # of one command, which has few events
            position = no_index(events.c.position)
            return literal(-1), literal(2**31 - 1), position > after, position < before
        case _:
            return after, before


def _version_at(position: ColumnElement[int]) -> ColumnElement[int]:
    """Return the version that the filter's item had at `position`, 0 before it was created."""
    of_item = select(events.c.position).where(events.c.item_id == bindparam("item_id"))
    return _last_at_or_before(lambda version: of_item.where(events.c.version == version), position)


def _last_at_or_before(
    value_of: Callable[[ColumnElement[int]], Select[int]], bound: ColumnElement[int]
) -> ColumnElement[int]:
    """Return the greatest of the numbers 1, 2, 3, ... whose value is at most `bound`, 0 where there is none.

    `value_of` returns the query for a number's value. Values never decrease, and the query has no row after the last
    number. The binary search takes 63 look-ups, most of them for numbers that do not exist.
    """
    # From the highest bit to the lowest: is there a number that has this bit too, and a value within the bound?
    found = select(literal(0, BigInt).label("number"), literal(2**62, BigInt).label("bit")).cte(recursive=True)
    candidate = value_of(found.c.number + found.c.bit).correlate(found).scalar_subquery()
    better = found.c.number + case((candidate <= bound, found.c.bit), else_=0)
    found = found.union_all(select(better, found.c.bit // 2).where(found.c.bit > 0))
    return select(found.c.number).where(found.c.bit == 0).scalar_subquery()
