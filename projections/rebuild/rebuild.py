"""Rebuilds a projection while the service runs: fills a shadow table and compares it with the live one.

Then it corrects the rows that differ in the live table, or swaps the new table in if the table itself has to change.
Only that last step holds the append lock. Every chunk is committed with its replay checkpoint, so an interrupted run
can be resumed from there.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, select

from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.database.failures import commit
from eventstore.errors import OutcomeUnknownError, UnavailableError
from eventstore.log.head import head_position, lock_head
from eventstore.log.write_set import RowChanges
from projections.projection import Projection
from projections.rebuild import rebuild_state
from projections.rebuild.compare import Comparison
from projections.rebuild.rebuild_state import OvertakenError, Phase, RebuildCancelledError, Report
from projections.rebuild.replay import Folded, catch_up, fold
from projections.rebuild.replay_checkpoint import ReplayCheckpoint
from projections.rebuild.shadow import Shadow
from projections.rebuild.shadow_loader import ShadowLoader

#: The most events that may be folded while the append lock is held.
_MAX_SWAP_EVENTS = 2_000
#: How often, and for how long, to retry after the database connection is lost.
_RETRY_PAUSE_SECONDS, _RETRY_SECONDS = 0.5, 60.0
#: How often to try the swap while readers hold the live table for longer than the swap waits.
_SWAP_TRIES, _SWAP_PAUSE_SECONDS = 20, 0.5
#: How often to check whether the rebuild must stop.
_WATCH_PAUSE_SECONDS = 0.5


class Options(Struct, frozen=True):
    """The options of a rebuild."""

    #: Fill a new shadow table instead of resuming an interrupted run.
    from_scratch: bool = False
    #: Do everything except the swap.
    dry_run: bool = False
    #: The most events a second.
    throttle: float | None = None
    #: The request that it serves; see `rebuild_requests.py`.
    request: str | None = None


class Progress(Struct, frozen=True):
    """The progress of a rebuild."""

    projection: str
    phase: Phase
    #: The number of events that were folded into the shadow table, and of those in the log.
    position: int
    target: int
    #: Recent events a second.
    rate: float
    #: Seconds until the shadow table reaches the log's present position, at that rate; None if that is not known.
    eta: float | None


async def rebuild(
    database: Database,
    projection: Projection,
    options: Options,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Rebuild the table of `projection` from the log, compare it with the live one, and correct that or swap it in.

    Resumes an interrupted run of the same code, and its own after the database was lost for a while. Raises
    LockHeldError if the projection is being rebuilt already, RebuildCancelledError, UnavailableError, and what a fold
    raises.
    """
    run = _RebuildRun(database, projection, options, on_progress)
    lost_at = 0.0
    while True:
        run.progressed = False
        try:
            async with database.lock(rebuild_state.lock_name(projection.name)):
                return await run.run()
        except (UnavailableError, OutcomeUnknownError):
            # The replay checkpoint shows whether the last commit took place.
            if not run.started:
                raise
            if run.progressed or not lost_at:
                lost_at = monotonic()
            elif monotonic() - lost_at > _RETRY_SECONDS:
                raise
        await asyncio.sleep(_RETRY_PAUSE_SECONDS)


class _RebuildRun:
    def __init__(
        self, database: Database, projection: Projection, options: Options, on_progress: Callable[[Progress], None]
    ) -> None:
        self._database = database
        self._options = options
        self._on_progress = on_progress
        self._shadow = Shadow(projection, options.request)
        self._loader = ShadowLoader(database, self._shadow, options.throttle, self._on_write)
        self._phase: Phase = "fill"
        self._seconds = dict[str, float]()
        self._comparison: Comparison | None = None
        #: The keys of rows that changed since they were compared.
        self._changed_keys = set[int]()
        self._stop: Exception | None = None
        #: Whether the run is stored in the database, and whether it has written a chunk since this was set to False.
        self.started = False
        self.progressed = False

    async def run(self) -> Report:
        """Do what is left to do. After UnavailableError or OutcomeUnknownError it can be called again."""
        from_scratch = self._options.from_scratch
        state = await self._database.write(lambda c: self._shadow.begin(c, from_scratch=from_scratch))
        if state.state == "succeeded":
            assert state.report is not None
            return state.report
        self.started, self._loader.target = True, state.target
        watch = asyncio.create_task(self._watch())
        try:
            return await self._run_phases()
        except asyncio.CancelledError:
            self._stop = RebuildCancelledError()  # for a comparison that still runs in a thread
            await self._end(state="interrupted")
            raise
        except RebuildCancelledError:
            await self._end(drop=True, state="cancelled")
            raise
        except (UnavailableError, OutcomeUnknownError, OvertakenError):
            raise
        except Exception as error:
            await self._end(drop=True, state="failed", failure=f"{error}" or repr(error))
            raise
        finally:
            watch.cancel()

    async def _run_phases(self) -> Report:
        with self._timed("fill"):
            await self._loader.fill(self._check_stop)
        await self._enter("index")
        with self._timed("index"):
            while await self._database.write(self._shadow.index):
                self._check_stop()
        await self._loader.fill(self._check_stop)  # what was appended meanwhile
        await self._enter("compare")
        with self._timed("compare"):
            self._comparison, self._changed_keys = None, set()
            self._comparison = await self._database.read_transaction(self._compare)
        await self._enter("swap")
        report = await self._swap_when_free()
        await self._end(drop=True, report=report)
        return report

    def _on_write(self, folded: Folded) -> None:
        self._changed_keys.update(folded.keys() if self._comparison else ())
        self.progressed = True
        self._report_progress()

    def _compare(self, connection: Connection) -> Comparison | None:
        """Compare every row of the shadow table with the live one, both as of one moment."""
        projection, shadow = self._shadow.projection, self._shadow
        if not table_swap.exists(connection, projection.table.name):
            return None
        columns = table_swap.column_names(connection, projection.table.name)
        comparison = Comparison(projection.table, shadow.table, columns, head_position(connection))
        events = shadow.cursor.read(connection, comparison.position)
        states = self._loader.states.copy()
        overlay = fold(connection, projection, states, shadow.cursor, events).changes if events else RowChanges()
        comparison.all(connection, overlay, self._check_stop)
        return comparison

    def _check_stop(self) -> None:
        if self._stop:
            raise self._stop

    async def _swap_when_free(self) -> Report:
        for _ in range(_SWAP_TRIES):
            await self._loader.fill(self._check_stop)
            started = monotonic()
            # Do not wait for long reads of the live table, because every writer would have to wait as well.
            with suppress(UnavailableError):
                if report := await self._database.write(self._swap):
                    held = None if self._options.dry_run else round((monotonic() - started) * 1000, 3)
                    return msgspec.structs.replace(report, lock_held_ms=held)
            await asyncio.sleep(_SWAP_PAUSE_SECONDS)
        raise UnavailableError

    def _swap(self, connection: Connection) -> Report | None:
        """Catch up, and correct or swap, in one transaction under the locks; return None if too many events remain."""
        shadow = self._shadow
        with connection.begin() as transaction:
            # Writers take these two locks in the same order.
            table_swap.lock_out_writers(connection, shadow.projection.table)
            head = lock_head(connection)
            if head.position - shadow.cursor.position > _MAX_SWAP_EVENTS:
                return None
            started = monotonic()
            changed = catch_up(connection, shadow.projection, shadow.table, self._loader.states.copy(), shadow.cursor)
            if self._comparison:
                self._comparison.recheck(connection, self._changed_keys | changed)
            self._seconds["swap"] = monotonic() - started
            events = self._loader.events + head.position - shadow.cursor.position
            rows = connection.execute(select(func.count()).select_from(shadow.table)).scalar_one()
            swap = shadow.is_to_replace(connection)
            report = self._report(head.position, events, rows, swap=swap)
            if not self._options.dry_run:
                shadow.go_live(connection, self._comparison, swap=swap)
            reached = ReplayCheckpoint(head.position)
            shadow.note(connection, state="succeeded", cursor=reached, target=head.position, report=report)
            commit(transaction)
        return report

    def _report(self, position: int, events: int, rows: int, *, swap: bool) -> Report:
        comparison, dry_run = self._comparison, self._options.dry_run
        differing = len(comparison.differing) if comparison else 0
        live, rebuilt = (comparison and comparison.digests) or (None, None)
        return Report(
            projection=self._shadow.projection.name,
            version=self._shadow.projection.version,
            position=position,
            events=events,
            rate=round(self._loader.events / max(self._seconds["fill"], 1e-6)),
            seconds={phase: round(seconds, 3) for phase, seconds in self._seconds.items()},
            rows=rows,
            rows_compared=rows + len(comparison.surplus) if comparison else 0,
            rows_differ=differing,
            samples=comparison.shown() if comparison else [],
            columns_added=comparison.added if comparison else [],
            columns_dropped=comparison.dropped if comparison else [],
            compared_at=comparison.position if comparison else None,
            digest_live=live,
            digest_rebuilt=rebuilt,
            lock_held_ms=None,
            swapped=swap and not dry_run,
            rows_corrected=0 if swap or dry_run else differing,
        )

    async def _watch(self) -> None:
        """Check regularly whether this run must stop."""
        while self._stop is None:
            await asyncio.sleep(_WATCH_PAUSE_SECONDS)
            with suppress(UnavailableError):
                self._stop = await self._shadow.why_stop(self._database)

    async def _enter(self, phase: Phase) -> None:
        self._phase = phase
        await self._database.write(lambda connection: self._shadow.update(connection, phase=phase))
        self._report_progress()

    async def _end(self, *, drop: bool = False, **changes: Any) -> None:
        """Store how this run ended, if the database can be reached."""
        with suppress(UnavailableError, OutcomeUnknownError, OvertakenError):
            await self._database.write(lambda connection: self._shadow.update(connection, drop=drop, **changes))

    @contextmanager
    def _timed(self, phase: Phase) -> Iterator[None]:
        started = monotonic()
        yield
        self._seconds[phase] = self._seconds.get(phase, 0.0) + monotonic() - started

    def _report_progress(self) -> None:
        name, position = self._shadow.projection.name, self._shadow.cursor.position
        target, rate = self._loader.target, self._loader.rate
        eta = (target - position) / rate if rate else None
        self._on_progress(Progress(name, self._phase, position, target, round(rate), eta))
