"""A part of a projection's table, folded again at little cost: what the check in the background looks at in a step."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy import Connection

from eventstore.events import ItemEvent, RecordedEvent
from eventstore.log import log, replay_reader
from projections.projection import PriorState, Projection, Row
from projections.rebuild.rebuild_state import Sample
from projections.rebuild.table_reader import PAGE, Pages, columns_of, values_that_differ

#: Positions of the log, or events, that a step goes through.
STEP = 200
#: Events of items that a step reads from their beginning; items for which that is too much begin with a snapshot.
_WHOLE = 2_000
#: Rows of a projection that a process keeps in memory, at most, where they can't be folded one by one.
_KEPT = 10_000
_FIRST = -(2**63) + 1


class Seen(Struct, frozen=True):
    """What a step saw of a table."""

    #: How far in the log it is.
    position: int
    #: The keys of rows that were compared, and what differs in those that do.
    compared: set[int]
    differing: dict[int, list[Sample]]


class Sampler(Protocol):
    """Goes through a projection's table again and again, a part in each step."""

    def step(self, connection: Connection, again: Sequence[int]) -> Seen:
        """Compare the next rows, and those that have one of the keys `again`, with what the log says.

        The connection shows one moment, and the table is at the log's position then.
        """
        ...


def sampler(projection: Projection, position: int) -> Sampler:
    """Give what goes through the table of `projection`; where that is possible, on from `position`."""
    return _ByItem(projection, position) if projection.keyed_by_item else _Following(projection)


class _ByItem:
    """Goes through the log: the items that began in a part of it are folded by themselves."""

    def __init__(self, projection: Projection, position: int) -> None:
        self._fold = projection.fold
        self._rows = _Rows(projection)
        self._position = position

    def step(self, connection: Connection, again: Sequence[int]) -> Seen:
        """See Sampler. Rows of ids that no item can have are of the first part or the last."""
        after, head = self._position, log.head_position(connection)
        through = after + STEP if after + STEP < head else log.END
        live, through = self._rows.within(connection, after or _FIRST, through)
        item_ids = {*replay_reader.items_begun(connection, after, through), *again}
        live |= self._rows.of(connection, again)
        folded = {
            key: row for key, row in self._fold(list(_streams(connection, item_ids)), {}).items() if row is not None
        }
        reached = min(max(through, 0), head)  # ids that no item can have are below or above
        self._position = 0 if through == log.END else reached
        return Seen(reached, *self._rows.compare(live, folded, again))


class _Following:
    """Folds the log from its beginning, some events a step, and keeps the rows in memory; at the log's end, compares.

    A table that has too many rows for that is left to `verify`.
    """

    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._rows = _Rows(projection)
        self._kept: dict[int, Row] = {}
        self._position = 0
        self._after = _FIRST

    def step(self, connection: Connection, again: Sequence[int]) -> Seen:
        """See Sampler."""
        if len(self._kept) <= _KEPT and (events := replay_reader.behind(connection, self._position, STEP)):
            self._follow(connection, events)
        if len(self._kept) > _KEPT or self._position < log.head_position(connection):
            return Seen(self._position, set(), {})
        after = self._after
        live, through = self._rows.within(connection, after, log.END)
        live |= self._rows.of(connection, again)
        folded = {key: row for key, row in self._kept.items() if after < key <= through or key in again}
        self._after = _FIRST if through == log.END else through
        return Seen(self._position, *self._rows.compare(live, folded, again))

    def _follow(self, connection: Connection, events: Sequence[ItemEvent]) -> None:
        before = _Kept(connection, self._projection, self._kept, self._position)
        for key, row in self._projection.fold(events, self._projection.load(before, events)).items():
            if row is None:
                self._kept.pop(key, None)
            else:
                self._kept[key] = row
        self._position = events[-1].position


class _Kept(PriorState):
    """Looks back at rows in memory, instead of the table's."""

    def __init__(self, connection: Connection, projection: Projection, kept: Mapping[int, Row], position: int) -> None:
        super().__init__(connection, projection.table, position)
        self._kept = kept

    def rows(self, keys: Iterable[int]) -> dict[int, dict[str, Any]]:
        return {key: dict(self._kept[key]) for key in keys if key in self._kept}

    def latest_row(self) -> Row | None:
        return self._kept[max(self._kept)] if self._kept else None

    def streams(self, item_ids: Iterable[int]) -> Iterator[RecordedEvent]:
        return _streams(self._connection, set(item_ids), self._position)


class _Rows:
    """A projection's rows, as the table has them, and against those that were folded."""

    def __init__(self, projection: Projection) -> None:
        self._columns = columns_of(projection.table)
        self._pages = Pages(projection.table, self._columns)

    def within(self, connection: Connection, after: int, through: int) -> tuple[dict[int, Any], int]:
        """Give the rows behind the key `after` up to the key that is given with them: `through` or, of many, less."""
        rows = self._pages.within(connection, after, through)
        return {row[0]: row for row in rows}, rows[-1][0] if len(rows) == PAGE else through

    def of(self, connection: Connection, keys: Sequence[int]) -> dict[int, Any]:
        """Give the rows that have one of `keys`."""
        return {row[0]: row for row in self._pages.of(connection, keys)} if keys else {}

    def compare(
        self, live: Mapping[int, Any], folded: Mapping[int, Row], again: Iterable[int]
    ) -> tuple[set[int], dict[int, list[Sample]]]:
        """Give the keys that were compared, and what differs."""
        keys = {*live, *folded, *again}
        rows = {key: tuple(row[name] for name in self._columns) for key, row in folded.items()}
        found = {key: values_that_differ(self._columns, key, live.get(key), rows.get(key)) for key in keys}
        return keys, {key: values for key, values in found.items() if values}


def _streams(connection: Connection, item_ids: Collection[int], through: int = log.END) -> Iterator[RecordedEvent]:
    """Read what items come from, the longest of them from their newest snapshots on if it is too much otherwise."""
    if not item_ids:
        return iter(())
    lengths = sorted(log.lengths(connection, item_ids).items(), key=lambda item: item[1])
    sums = accumulate(length for _, length in lengths)
    few = sum(total <= _WHOLE for total in sums)
    whole, rest = ([item_id for item_id, _ in part] for part in (lengths[:few], lengths[few:]))
    return chain(
        log.read_streams(connection, whole, through, ignore_snapshots=True), log.read_streams(connection, rest, through)
    )
