"""Folds the log into a table from the start, in chunks whose size and pauses adapt to other writers."""

from collections.abc import Sequence
from time import monotonic

from msgspec import Struct
from sqlalchemy import Connection, Table

from eventstore.database.bulk import bulk_insert, upsert
from eventstore.events import ItemEvent
from projections.projection import Changes, PriorState, Projection, remove
from projections.rebuild.replay_checkpoint import ReplayCheckpoint

_MIN_CHUNK_EVENTS, _MAX_CHUNK_EVENTS = 250, 8_000
#: How long a chunk's transaction should take without and with other writers, which wait for it on SQLite.
_UNCONTENDED_SECONDS, _CONTENDED_SECONDS = 0.2, 0.02
#: The pause for other writers after a chunk: a multiple of the time that the chunk took, and at least some seconds.
_YIELD_FACTOR, _MIN_PAUSE_SECONDS = 1.0, 0.02


class Folded(Struct, frozen=True):
    """The changes that a chunk of events makes to a table."""

    #: The table's checkpoint after them.
    cursor: ReplayCheckpoint
    events: int
    changes: Changes
    #: The keys of rows that existed before: those of `changes` that must be updated are among them.
    known: frozenset[int]


def fold(
    connection: Connection,
    projection: Projection,
    table: Table,
    cursor: ReplayCheckpoint,
    events: Sequence[ItemEvent],
    pending: Folded | None = None,
) -> Folded:
    """Fold the next events behind `cursor`, where `table` is, from events only. Writes nothing.

    `pending` is the chunk before, if it is still being written to `table`. Raises what the projection's fold raises.
    """
    # Item by item, only the item of the first event can have earlier events: the position before that event will do.
    position, changes = events[0].position - 1, pending.changes if pending else {}
    rows = projection.load(PriorState(connection, table, position, ignore_snapshots=True, pending=changes), events)
    return Folded(cursor.behind(events), len(events), projection.fold(events, rows), frozenset(rows))


def write(connection: Connection, table: Table, folded: Folded) -> None:
    """Write the changes of a chunk to `table`."""
    changes = sorted(folded.changes.items())  # in the table's own order, which is faster
    bulk_insert(connection, table, [row for key, row in changes if row is not None and key not in folded.known])
    upsert(connection, table, [row for key, row in changes if row is not None and key in folded.known])
    remove(connection, table, [key for key, row in changes if row is None])


def catch_up(connection: Connection, projection: Projection, table: Table, cursor: ReplayCheckpoint) -> set[int]:
    """Fold all events behind `cursor` into `table`, which is at `cursor`; return the keys of changed rows."""
    changed: set[int] = set()
    while events := cursor.read(connection, _MAX_CHUNK_EVENTS):
        folded = fold(connection, projection, table, cursor, events)
        write(connection, table, folded)
        changed.update(folded.changes)
        cursor = folded.cursor
    return changed


class AdaptivePacer:
    """Adapts the chunk size and the pauses of a rebuild, so that other writers have priority."""

    def __init__(self, throttle: float | None = None) -> None:
        """Fold as fast as possible, but at most `throttle` events a second."""
        self._throttle = throttle
        self._chunk_started = monotonic()
        self._size = 2_000.0
        #: Recent events a second.
        self.rate = 0.0

    @property
    def size(self) -> int:
        """The number of events in the next chunk."""
        return int(self._size if self._throttle is None else max(1.0, min(self._size, self._throttle / 4)))

    def pause_after(self, events: int, writing_seconds: float, *, uncontended: bool) -> float:
        """Return the seconds to pause after a chunk of `events`, and adapt the size of the next.

        `writing_seconds` is how long its transaction took, `uncontended` whether no other process has appended since
        the chunk before.
        """
        goal = _UNCONTENDED_SECONDS if uncontended else _CONTENDED_SECONDS
        change = min(max(goal / max(writing_seconds, 1e-6), 0.5), 2.0)
        self._size = min(max(self._size * change, _MIN_CHUNK_EVENTS), _MAX_CHUNK_EVENTS)
        took = monotonic() - self._chunk_started
        pause = 0.0 if uncontended else max(took * _YIELD_FACTOR, _MIN_PAUSE_SECONDS)
        if self._throttle is not None:
            pause = max(pause, events / self._throttle - took)
        rate = events / (took + pause)
        self.rate = rate if not self.rate else 0.8 * self.rate + 0.2 * rate
        self._chunk_started += took + pause
        return pause
