"""The log folded into a table from the start: chunk by chunk, in which order, and at what pace."""

from collections.abc import Sequence
from time import monotonic

from msgspec import Struct
from sqlalchemy import Connection, Table

from eventstore.database.bulk import bulk_insert, upsert
from eventstore.events import ItemEvent
from projections.projection import Changes, PriorState, Projection, Row, remove
from projections.rebuild.replay_checkpoint import ReplayCheckpoint

#: Events of one chunk.
_LEAST, _MOST = 250, 8_000
#: Seconds that a chunk's transaction is to take while nobody else writes, and while others do: on SQLite they wait.
_ALONE, _AMONG_OTHERS = 0.2, 0.02
#: How long others are left to themselves after a chunk, in times of what it took, and at least in seconds.
_YIELD_FACTOR, _LEAST_PAUSE = 1.0, 0.02


class Folded(Struct, frozen=True):
    """What a chunk of events makes of a table."""

    #: Where the table is then.
    cursor: ReplayCheckpoint
    events: int
    changes: Changes
    #: The keys of rows that were there before, if any of `changes` was.
    known: frozenset[int]


def fold(
    connection: Connection,
    projection: Projection,
    table: Table,
    cursor: ReplayCheckpoint,
    events: Sequence[ItemEvent],
    pending: Folded | None = None,
) -> Folded:
    """Fold the next events behind `cursor`, which `table` is at, from events alone. Writes nothing.

    `pending` is the chunk before, where that is still being written to `table`, or was just then. Raises what the
    projection's fold raises.
    """
    # Item by item only the first of them can have begun before: what is behind its last event is all that matters.
    position, changes = events[0].position - 1, pending.changes if pending else None
    rows = projection.load(PriorState(connection, table, position, whole=True, pending=changes), events)
    return Folded(cursor.behind(events), len(events), projection.fold(events, rows), frozenset(rows))


def write(connection: Connection, table: Table, folded: Folded) -> None:
    """Write what was folded to `table`."""
    fresh: list[Row] = []
    known: list[Row] = []
    gone: list[int] = []
    for key, row in sorted(folded.changes.items()):  # in the table's own order, which is quicker
        if row is None:
            gone.append(key)
        else:
            (known if key in folded.known else fresh).append(row)
    bulk_insert(connection, table, fresh)
    upsert(connection, table, known)
    remove(connection, table, gone)


def catch_up(connection: Connection, projection: Projection, table: Table, cursor: ReplayCheckpoint) -> set[int]:
    """Fold all events behind `cursor`, which `table` is at, into it; give the keys of the rows that changed."""
    changed: set[int] = set()
    while events := cursor.read(connection, _MOST):
        folded = fold(connection, projection, table, cursor, events)
        write(connection, table, folded)
        changed.update(folded.changes)
        cursor = folded.cursor
    return changed


class AdaptivePacer:
    """How large the next chunk is, and how long to rest after one: whoever else writes comes first."""

    def __init__(self, throttle: float | None = None) -> None:
        """Fold as quickly as may be, but at most `throttle` events a second."""
        self._throttle = throttle
        self._began = monotonic()
        self._size = 2_000.0
        #: Events a second, of late.
        self.rate = 0.0

    @property
    def size(self) -> int:
        """The number of events in the next chunk."""
        return int(self._size if self._throttle is None else max(1.0, min(self._size, self._throttle / 4)))

    def rest(self, events: int, writing: float, *, alone: bool) -> float:
        """Give the seconds to rest after a chunk of `events`, whose transaction took `writing` seconds.

        `alone` says that nobody else appended since the chunk before.
        """
        goal = _ALONE if alone else _AMONG_OTHERS
        change = min(max(goal / max(writing, 1e-6), 0.5), 2.0)
        self._size = min(max(self._size * change, _LEAST), _MOST)
        took = monotonic() - self._began
        pause = 0.0 if alone else max(took * _YIELD_FACTOR, _LEAST_PAUSE)
        if self._throttle is not None:
            pause = max(pause, events / self._throttle - took)
        rate = events / (took + pause)
        self.rate = rate if not self.rate else 0.8 * self.rate + 0.2 * rate
        self._began += took + pause
        return pause
