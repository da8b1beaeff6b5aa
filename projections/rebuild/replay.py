"""Folds the log into a table from the start, in chunks whose size and pauses adapt to other writers."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from time import monotonic

from msgspec import Struct
from sqlalchemy import Connection, Table

from eventstore.database.bulk import add, bulk_insert, upsert
from eventstore.events import ItemEvent
from eventstore.log.transitions import ItemStates
from eventstore.log.write_set import Row, RowChanges
from projections.projection import Projection, remove
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
    changes: RowChanges

    def keys(self) -> Iterable[int]:
        """Return the keys of all rows that change."""
        changes = self.changes
        return chain(changes.insert, changes.replace, changes.add, changes.delete)


def fold(
    connection: Connection,
    projection: Projection,
    states: ItemStates,
    cursor: ReplayCheckpoint,
    events: Sequence[ItemEvent],
) -> Folded:
    """Fold the next events behind `cursor`, where `states` are, from events only. Writes nothing.

    Raises what `ItemStates.follow` and the projection's fold raise.
    """
    changes = projection.fold(states.follow(connection, events))
    if not cursor.whole:
        states.forget_all_but(events[-1].item_id)
    return Folded(cursor.behind(events), len(events), changes)


def write(connection: Connection, table: Table, folded: Folded) -> None:
    """Write the changes of a chunk to `table`, in the table's own order, which is faster."""
    changes = folded.changes
    bulk_insert(connection, table, _sorted(changes.insert))
    upsert(connection, table, _sorted(changes.replace))
    add(connection, table, _sorted(changes.add))
    remove(connection, table, sorted(changes.delete))


def _sorted(rows: Mapping[int, Row]) -> list[Row]:
    return [rows[key] for key in sorted(rows)]


def catch_up(
    connection: Connection, projection: Projection, table: Table, states: ItemStates, cursor: ReplayCheckpoint
) -> set[int]:
    """Fold all events behind `cursor` into `table`, which is there as `states` are; return the keys of changed rows."""
    changed: set[int] = set()
    while events := cursor.read(connection, _MAX_CHUNK_EVENTS):
        folded = fold(connection, projection, states, cursor, events)
        write(connection, table, folded)
        changed.update(folded.keys())
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
