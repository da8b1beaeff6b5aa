"""The history as it is stored: events chosen by what is recorded of them, in either direction, none of them decoded.

What auditors read, follow, export and verify is what the log holds, byte for byte. Projections read `log.py` instead.
Whatever is asked for, an index leads to it and is followed in the order of positions: nothing is sorted.
"""

from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, bindparam, literal, select

from eventstore import codec
from eventstore.database.dialect import between, no_index
from eventstore.log.binary_search import last_at_or_before
from eventstore.log.log import END
from eventstore.log.tables import BigInt, events

#: Events that `look` goes through, at most, for those that all values of a filter let through.
LOOK = 10_000


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
    command_id: str
    ordinal: int
    #: SHA-256 of the command as it was sent, 32 bytes.
    fingerprint: bytes
    correlation_id: str | None
    causation_id: str | None
    #: SHA-256 of 0x00 and the leaf, 32 bytes; see `leaf`.
    leaf_hash: bytes


_leaf = attrgetter(*codec.LEAF)


def leaf(event: StoredEvent) -> bytes:
    """Give the bytes that the tree's leaf of `event` commits to: all columns but the fingerprint and the hash."""
    return codec.encode_leaf(_leaf(event))


class Filter(Struct, frozen=True):
    """Which events: those that have all the values given, between two positions."""

    item_id: int | None = None
    type: str | None = None
    actor: str | None = None
    correlation_id: str | None = None
    command_id: str | None = None
    #: Only events behind this position, and before that one.
    after: int = 0
    before: int = END


#: The columns that a filter can ask for a value of.
_EQUAL = ("item_id", "type", "actor", "correlation_id", "command_id")


class _IndexPath(Struct, frozen=True):
    """An index that leads to events: by columns that have a given value, then by one that grows with the position."""

    given: tuple[str, ...]
    then: str


#: The first that a filter has the values for is taken. Before others come those that mostly lead to few events. Of two
#: values that many events may have only an actor and a type are an index together; else the rest is a residual_filter.
_INDEX_PATHS = (
    _IndexPath(("command_id",), "ordinal"),
    _IndexPath(("correlation_id",), "position"),
    _IndexPath(("item_id",), "version"),
    _IndexPath(("actor", "type"), "position"),
    _IndexPath(("actor",), "position"),
    _IndexPath(("type",), "position"),
    _IndexPath((), "position"),
)


def selection(chosen: Filter, limit: int, *, newest_first: bool = False) -> tuple[Select[Any], dict[str, object]]:
    """Give the statement for at most `limit` of the events `chosen`, in position order, and its parameters.

    Its rows are what `StoredEvent` is made of, column by column.
    """
    wanted = _wanted(chosen)
    return _events(tuple(wanted), newest_first), {**wanted, **_bounds(chosen), "limit": limit}


def look(chosen: Filter, *, newest_first: bool = False) -> tuple[Select[Any], dict[str, object]] | None:
    """Give the statement for the position of the last event that a bounded look for `chosen` goes through.

    It finds none where there are fewer events to go through. There is no such statement where the way to the events
    leads to no others, or to few.
    """
    wanted = _wanted(chosen)
    way = _way(tuple(wanted))
    if way.then == "ordinal" or len(way.given) == len(wanted):
        return None
    return _look(way, newest_first), {name: wanted[name] for name in way.given} | _bounds(chosen) | {"skip": LOOK - 1}


def matches(chosen: Filter, event: StoredEvent) -> bool:
    """Tell whether `event` has all the values of `chosen`, wherever it is."""
    return all((value := getattr(chosen, name)) is None or value == getattr(event, name) for name in _EQUAL)


def read(connection: Connection, chosen: Filter, limit: int, *, newest_first: bool = False) -> Iterator[StoredEvent]:
    """Read at most `limit` of the events `chosen`, in position order, or the newest first."""
    statement, parameters = selection(chosen, limit, newest_first=newest_first)
    return (StoredEvent(*row) for row in connection.execute(statement, parameters))


def position_at(time: ColumnElement[int]) -> ColumnElement[int]:
    """Give the position of the last event that was recorded at `time` or before, 0 where there is none.

    `time` is in microseconds since the epoch. Times never go back from one position to the next, and positions have
    no gap: no index has to know the times.
    """
    return last_at_or_before(lambda position: select(events.c.recorded_at).where(events.c.position == position), time)


def position_of(item_id: ColumnElement[int], version: ColumnElement[int]) -> ColumnElement[int]:
    """Give the position of the event by which an item came to a version: a look-up for each row."""
    found = select(events.c.position).where(events.c.item_id == item_id, events.c.version == version)
    return found.scalar_subquery()


def _wanted(chosen: Filter) -> dict[str, object]:
    return {name: value for name in _EQUAL if (value := getattr(chosen, name)) is not None}


def _bounds(chosen: Filter) -> dict[str, object]:
    return {"after": chosen.after, "before": chosen.before}


def _way(names: tuple[str, ...]) -> _IndexPath:
    return next(way for way in _INDEX_PATHS if set(way.given) <= set(names))


@lru_cache
def _events(names: tuple[str, ...], newest_first: bool) -> Select[Any]:
    way = _way(names)
    # What else is asked for is no way of its own: rows are held against it one by one.
    residual_filter = (no_index(events.c[name]) == bindparam(name) for name in names if name not in way.given)
    columns = (events.c[name] for name in StoredEvent.__struct_fields__)
    return _scan(select(*columns).where(*residual_filter), way, newest_first).limit(bindparam("limit"))


@lru_cache
def _look(way: _IndexPath, newest_first: bool) -> Select[Any]:
    return _scan(select(events.c.position), way, newest_first).offset(bindparam("skip")).limit(1)


def _scan(statement: Select[Any], way: _IndexPath, newest_first: bool) -> Select[Any]:
    """Let `statement` go along a way, between two positions."""
    columns = [events.c[name] for name in (*way.given, way.then)]
    given = [bindparam(name, type_=events.c[name].type) for name in way.given]
    after, before, *residual_filter = _ends(way)
    part = between(*columns, *given, after, before)
    return statement.where(part, *residual_filter).order_by(*(c.desc() if newest_first else c for c in columns))


def _ends(way: _IndexPath) -> tuple[ColumnElement[Any], ...]:
    """Give what the way's last column is between, for events between two positions, and what else is to be asked."""
    after, before = (bindparam(name, type_=BigInt) for name in ("after", "before"))
    match way.then:
        case "version":  # 1, 2, 3, ... without a gap within an item
            return _version_at(after), _version_at(before - 1) + 1
        case "ordinal":  # of one command, which has few events
            position = no_index(events.c.position)
            return literal(-1), literal(2**31 - 1), position > after, position < before
        case _:
            return after, before


def _version_at(position: ColumnElement[int]) -> ColumnElement[int]:
    """Give the version that the item asked for had at `position`, 0 before it began."""
    of_item = select(events.c.position).where(events.c.item_id == bindparam("item_id"))
    return last_at_or_before(lambda version: of_item.where(events.c.version == version), position)
