"""Verify that the tables match the log: fold the whole log and compare every row, while the service runs.

The fold goes into a temporary table. Nothing is changed, and no lock is taken that writers or readers wait for.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Event
from time import monotonic
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Row, Table, select

from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.log.head import head_position
from eventstore.log.snapshots import items_behind
from eventstore.log.transitions import ItemStates
from eventstore.log.write_set import RowChanges
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
#: Items whose snapshots are read at a time, and events that are folded in one transaction.
_PAGE_ITEMS = 100
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
    work = _verify_snapshots if projection is None else partial(_verify_projection, projection, chunk_events)
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
        position = head_position(connection)
    while True:
        tick()
        with connection.begin():
            if not (item_ids := items_behind(connection, after, _PAGE_ITEMS)):
                break
            for _, wrong in snapshots.check(connection, item_ids):
                compared += 1
                differing += bool(wrong)
                samples += wrong[: SAMPLES - len(samples)]
        after = item_ids[-1]
    return Verdict(SNAPSHOTS, not differing, [], position, compared, differing, samples)


def _verify_projection(projection: Projection, chunk_events: int, connection: Connection, tick: Tick) -> Verdict:
    name, table = projection.name, projection.table
    checkpoint_query = select(projections_table).where(projections_table.c.name == name)
    with connection.begin():
        exists = table_swap.exists(connection, table.name)
        built = connection.execute(checkpoint_query).one_or_none()
    if not exists:
        return _without_rows(name, f"its table is {'missing' if built else 'not built yet'}: {_advice(name)}")
    folded = table_swap.create_temporary(connection, table, f"{table.name}_verified")
    states = ItemStates()
    replayed = _fold(connection, projection, folded, states, chunk_events, tick)
    with connection.begin():
        table_swap.lock_table_shared(connection, table.name)
        catch_up(connection, projection, folded, states, replayed)
        live_columns = table_swap.column_names(connection, table.name)
        compared = Comparison(table, folded, live_columns, head_position(connection))
        problems = list(_problems(projection, connection.execute(checkpoint_query).one_or_none(), compared))
        compared.all(connection, RowChanges(), tick)
    differing = len(compared.differing)
    same, digests = not problems and not differing, compared.digests or (None, None)
    return Verdict(name, same, problems, compared.position, compared.compared, differing, compared.shown(), *digests)


def _fold(
    connection: Connection, projection: Projection, folded: Table, states: ItemStates, chunk_events: int, tick: Tick
) -> ReplayCheckpoint:
    """Fold the log into `folded`, one transaction per chunk; return the replay checkpoint that it reached."""
    with connection.begin():
        replayed = ReplayCheckpoint(base=head_position(connection))
    while True:
        tick()
        with connection.begin():
            if events := replayed.read(connection, chunk_events):
                chunk = fold(connection, projection, states, replayed, events)
                write(connection, folded, chunk)
                replayed = chunk.cursor
        if replayed.whole and len(events) < chunk_events:
            return replayed


def _problems(projection: Projection, checkpoint: Row[Any] | None, compared: Comparison) -> Iterator[str]:
    if checkpoint is None:
        yield f"it has no row in `projections`, so writes do not update it: {_advice(projection.name)}"
    elif checkpoint.version != projection.version:
        yield f"it is at version {checkpoint.version}, while this version of the code has {projection.version}"
    if compared.added:
        yield f"it lacks {', '.join(compared.added)}"


def _advice(name: str) -> str:
    return f"run `itemledger rebuild {name}`"
