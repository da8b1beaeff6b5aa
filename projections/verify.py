"""Whether the tables are what the log says: each is held against a fold of the whole log, row by row, while all serve.

The fold goes into a temporary table. Nothing is changed, and nobody waits: it takes no lock that others would want.
"""

import asyncio
from collections.abc import Callable, Sequence
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

#: Events that are folded at a time.
_CHUNK = 10_000


class Verdict(Struct, frozen=True):
    """What was found of one table: a projection's, or the snapshots."""

    name: str
    #: Whether it is, row for row, what this version of the code makes of the log.
    same: bool
    #: What is wrong beside its rows, each in a sentence.
    problems: list[str]
    #: The log's position at the moment of the comparison, None where there was nothing to compare.
    position: int | None
    rows_compared: int
    rows_differ: int
    #: Values that differ; `rebuilt` is what the log says.
    samples: list[Sample]
    #: SHA-256 of the table and of the fold, over the columns that both have; see `rebuilds.Report`.
    digest_live: str | None = None
    digest_folded: str | None = None


async def verify(
    database: Database, projections: Sequence[Projection], tell: Callable[[Verdict], None] = lambda _: None
) -> list[Verdict]:
    """Compare the table of each of `projections`, and the snapshots, with what the log says. Changes nothing.

    `tell` is called as each is known. Raises UnavailableError, and what a fold raises for events that it can't read.
    """
    verdicts = []
    for projection in projections:
        verdicts.append(await _aside(database, _Verification(projection).run))
        tell(verdicts[-1])
    verdicts += await _aside(database, lambda connection, _: _unknown(connection, projections))
    verdicts.append(await _aside(database, _verify_snapshots))
    for verdict in verdicts[len(projections) :]:
        tell(verdict)
    return verdicts


async def _aside(database: Database, work: Callable[[Connection, Tick], T]) -> T:
    """Run `work` aside, and let it end at its next tick where the caller is cancelled."""
    cancelled = False

    def tick() -> None:
        if cancelled:
            raise asyncio.CancelledError

    try:
        return await database.run_isolated(lambda connection: work(connection, tick))
    except asyncio.CancelledError:
        cancelled = True
        raise


def _unknown(connection: Connection, projections: Sequence[Projection]) -> list[Verdict]:
    """Give a verdict on each projection that the database has and the code has not: nothing can be said of it."""
    known = {projection.name for projection in projections}
    with connection.begin():
        found = connection.execute(select(projections_table.c.name).order_by(projections_table.c.name)).scalars().all()
    problem = "this version of the code does not know it"
    return [_without_rows(name, problem) for name in found if name not in known]


def _without_rows(name: str, problem: str) -> Verdict:
    return Verdict(name, False, [problem], None, 0, 0, [])


def _verify_snapshots(connection: Connection, tick: Tick) -> Verdict:
    compared, differing = 0, 0
    samples: list[Sample] = []
    with connection.begin():
        position = log.head_position(connection)
        for _, wrong in snapshots.check_all(connection, tick):
            compared += 1
            differing += bool(wrong)
            samples += wrong[: SAMPLES - len(samples)]
    return Verdict("snapshots", not differing, [], position, compared, differing, samples)


class _Verification:
    def __init__(self, projection: Projection) -> None:
        self._projection = projection
        self._problems: list[str] = []

    def run(self, connection: Connection, tick: Tick) -> Verdict:
        projection, name = self._projection, self._projection.name
        with connection.begin():
            there = table_swap.exists(connection, projection.table.name)
            known = connection.scalar(select(projections_table.c.name).where(projections_table.c.name == name))
        if not there:
            gone = f"its table is gone: `itemledger rebuild {name}` makes it anew"
            unbuilt = f"it is not built yet: `itemledger rebuild {name}` builds it"
            return _without_rows(name, gone if known else unbuilt)
        folded = table_swap.create_temporary(connection, projection.table, f"{projection.table.name}_verified")
        cursor = self._fold(connection, folded, tick)
        with connection.begin():
            table_swap.lock_table_shared(connection, projection.table.name)
            catch_up(connection, projection, folded, cursor)
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
        """Fold the log into `folded`, a transaction a chunk; give how far it is then."""
        with connection.begin():
            cursor = ReplayCheckpoint.start(self._projection, log.head_position(connection))
        while True:
            tick()
            with connection.begin():
                events = cursor.read(connection, _CHUNK)
                if events:
                    chunk = fold(connection, self._projection, folded, cursor, events)
                    write(connection, folded, chunk)
                    cursor = chunk.cursor
            if cursor.whole and len(events) < _CHUNK:
                return cursor

    def _compare(self, connection: Connection, folded: Table, tick: Tick) -> Comparison:
        name, table, version = self._projection.name, self._projection.table, self._projection.version
        position = log.head_position(connection)
        standing = connection.execute(select(projections_table).where(projections_table.c.name == name)).one_or_none()
        if standing is None:
            self._problems.append("it has no checkpoint, so that nothing keeps it in step")
        elif standing.position != position:
            self._problems.append(f"it stands at position {standing.position}, while the log is at {position}")
        if standing is not None and standing.version != version:
            self._problems.append(f"it is at version {standing.version}, while this version of the code has {version}")
        comparison = Comparison(table, folded, table_swap.column_names(connection, table.name), position)
        if comparison.added:
            self._problems.append(f"it lacks {', '.join(comparison.added)}")
        comparison.all(connection, {}, tick)
        return comparison
