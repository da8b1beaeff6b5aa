"""Verify that the tables match the log: fold the whole log and compare every row, while the service runs.

The fold goes into a temporary table. Nothing is changed, and no lock is taken that writers or readers wait for.
"""

import asyncio
from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Table, select

from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.log import log
from projections import snapshots
from projections.projection import Projection, projections_table
from projections.rebuild.compare import SAMPLES, Comparison
from projections.rebuild.rebuild_state import Sample
from projections.rebuild.replay import catch_up, fold, write
from projections.rebuild.replay_checkpoint import ReplayCheckpoint

T = TypeVar("T")
Tick = Callable[[], None]

#: The name of the verdict on the snapshots.
SNAPSHOTS = "snapshots"
#: Events that are folded in one transaction.
_CHUNK_EVENTS = 10_000
#: On PostgreSQL a cancellation takes effect after the pause.
_MOST_PAUSE_SECONDS = 5.0


class Verdict(Struct, frozen=True):
    """The result for one table: a projection's, or the snapshots."""

    name: str
    #: Whether the table equals, row for row, what this version of the code makes of the log.
    same: bool
    #: What is wrong apart from its rows, one sentence each.
    problems: list[str]
    #: The log's position at the moment of the comparison; None where there was nothing to compare.
    position: int | None
    rows_compared: int
    rows_differ: int
    #: Values that differ; `rebuilt` is the value according to the log.
    samples: list[Sample]
    #: SHA-256 of the table and of the fold, over the columns that both have; see `rebuild_state.Report`.
    digest_live: str | None = None
    digest_folded: str | None = None


async def verify(
    database: Database, projections: Sequence[Projection], report: Callable[[Verdict], None] = lambda _: None
) -> list[Verdict]:
    """Compare the table of each of `projections`, and the snapshots, with the log. Changes nothing.

    `report` is called with each verdict at once. Raises UnavailableError, and what a fold raises for events that it
    cannot read.
    """
    verdicts = []
    for projection in projections:
        verdicts.append(await verify_table(database, projection))
        report(verdicts[-1])
    verdicts += await _run_isolated(database, lambda connection, _: _unknown(connection, projections))
    verdicts.append(await verify_table(database, None))
    for verdict in verdicts[len(projections) :]:
        report(verdict)
    return verdicts


async def verify_table(
    database: Database, projection: Projection | None, *, pause_ratio: float = 0, chunk_events: int = _CHUNK_EVENTS
) -> Verdict:
    """Compare the table of `projection`, or the snapshots for None, with the log; see verify.

    After each transaction, pause `pause_ratio` times as long as it took. A pause blocks the thread, on PostgreSQL that
    of the event loop. Inside a transaction there is none: one that stays open delays a table swap, PostgreSQL's VACUUM,
    and SQLite's WAL checkpoint.
    """
    work = _verify_snapshots if projection is None else _Verification(projection, chunk_events).run
    return await _run_isolated(database, work, pause_ratio)


async def _run_isolated(database: Database, work: Callable[[Connection, Tick], T], pause_ratio: float = 0) -> T:
    """Run `work` isolated, and end it at its next tick when the caller is cancelled."""
    cancelled = Event()

    def run(connection: Connection) -> T:
        since = monotonic()

        def tick() -> None:
            nonlocal since
            if pause_ratio and not connection.in_transaction():
                cancelled.wait(min((monotonic() - since) * pause_ratio, _MOST_PAUSE_SECONDS))
                since = monotonic()
            if cancelled.is_set():
                raise asyncio.CancelledError

        return work(connection, tick)

    try:
        return await database.run_isolated(run)
    except asyncio.CancelledError:
        cancelled.set()
        raise


def _unknown(connection: Connection, projections: Sequence[Projection]) -> list[Verdict]:
    """Return a verdict for each projection that only the database has: it cannot be compared."""
    known = {projection.name for projection in projections}
    with connection.begin():
        names = connection.execute(select(projections_table.c.name).order_by(projections_table.c.name)).scalars().all()
    return [_without_rows(name, "this version of the code does not know it") for name in names if name not in known]


def _without_rows(name: str, problem: str) -> Verdict:
    return Verdict(name, False, [problem], None, 0, 0, [])


def _verify_snapshots(connection: Connection, tick: Tick) -> Verdict:
    """Compare every snapshot that exists now with its item's events, which never change: a transaction per page."""
    compared, differing, after = 0, 0, 0
    samples: list[Sample] = []
    with connection.begin():
        position = log.head_position(connection)
    while True:
        tick()
        with connection.begin():
            if not (item_ids := snapshots.next_items(connection, after)):
                break
            for _, wrong in snapshots.check(connection, item_ids):
                compared += 1
                differing += bool(wrong)
                samples += wrong[: SAMPLES - len(samples)]
        after = item_ids[-1]
    return Verdict(SNAPSHOTS, not differing, [], position, compared, differing, samples)


class _Verification:
    def __init__(self, projection: Projection, chunk_events: int) -> None:
        self._projection = projection
        self._chunk_events = chunk_events
        self._problems: list[str] = []

    def run(self, connection: Connection, tick: Tick) -> Verdict:
        projection, name = self._projection, self._projection.name
        with connection.begin():
            exists = table_swap.exists(connection, projection.table.name)
            built = connection.scalar(select(projections_table.c.name).where(projections_table.c.name == name))
        if not exists:
            return _without_rows(name, f"its table is {'missing' if built else 'not built yet'}: {_advice(name)}")
        folded = table_swap.create_temporary(connection, projection.table, f"{projection.table.name}_verified")
        replayed = self._fold(connection, folded, tick)
        with connection.begin():
            table_swap.lock_table_shared(connection, projection.table.name)
            catch_up(connection, projection, folded, replayed)
            compared = self._compare(connection, folded, tick)
        live, rebuilt = compared.digests or (None, None)
        return Verdict(
            name,
            not self._problems and not compared.differing,
            self._problems,
            compared.position,
            compared.compared,
            compared.differing,
            compared.shown(),
            live,
            rebuilt,
        )

    def _fold(self, connection: Connection, folded: Table, tick: Tick) -> ReplayCheckpoint:
        """Fold the log into `folded`, one transaction per chunk; return the replay checkpoint that it reached."""
        with connection.begin():
            replayed = ReplayCheckpoint.start(self._projection, log.head_position(connection))
        while True:
            tick()
            with connection.begin():
                events = replayed.read(connection, self._chunk_events)
                if events:
                    chunk = fold(connection, self._projection, folded, replayed, events)
                    write(connection, folded, chunk)
                    replayed = chunk.cursor
            if replayed.whole and len(events) < self._chunk_events:
                return replayed

    def _compare(self, connection: Connection, folded: Table, tick: Tick) -> Comparison:
        name, table, version = self._projection.name, self._projection.table, self._projection.version
        position = log.head_position(connection)
        checkpoint = connection.execute(select(projections_table).where(projections_table.c.name == name)).one_or_none()
        if checkpoint is None:
            self._problems.append(f"it has no row in `projections`, so writes do not update it: {_advice(name)}")
        elif checkpoint.position != position:
            self._problems.append(f"it is at position {checkpoint.position}, while the log is at {position}")
        if checkpoint is not None and checkpoint.version != version:
            self._problems.append(
                f"it is at version {checkpoint.version}, while this version of the code has {version}"
            )
        comparison = Comparison(table, folded, table_swap.column_names(connection, table.name), position)
        if comparison.added:
            self._problems.append(f"it lacks {', '.join(comparison.added)}")
        comparison.all(connection, {}, tick)
        return comparison


def _advice(name: str) -> str:
    return f"run `itemledger rebuild {name}`"
