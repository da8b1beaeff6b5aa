"""Rebuilding a projection while the service runs: a shadow table is filled, compared, and put in the live one's place.

The append lock is held for the last step alone. Every chunk is committed with the checkpoint that it leads to: a run
that was interrupted, by whatever, is gone on with where it stopped.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.database.failures import commit
from eventstore.errors import OutcomeUnknownError, UnavailableError
from eventstore.log import log
from projections.projection import Projection
from projections.rebuild import rebuild_state
from projections.rebuild.compare import Comparison
from projections.rebuild.rebuild_state import OvertakenError, Phase, RebuildCancelledError, Report
from projections.rebuild.replay import Folded, catch_up, fold
from projections.rebuild.replay_checkpoint import ReplayCheckpoint
from projections.rebuild.shadow import Shadow
from projections.rebuild.shadow_loader import ShadowLoader

#: Events that may be left for when the append lock is held.
_MOST_LEFT = 2_000
#: Seconds between two tries to reach a database that was lost, and how long it is tried.
_RETRY_PAUSE, _RETRY_SECONDS = 0.5, 60.0
#: Tries to swap, where others hold the table for longer than they are waited for; and the seconds between two.
_SWAP_TRIES, _SWAP_PAUSE = 20, 0.5
#: Seconds between two looks whether somebody wants the rebuild to stop.
_WATCH_PAUSE = 0.5


class Options(Struct, frozen=True):
    """How to rebuild."""

    #: Fill a new shadow table, whatever an interrupted run has left.
    from_scratch: bool = False
    #: Do everything but the swap.
    dry_run: bool = False
    #: Events a second, at most.
    throttle: float | None = None


class Progress(Struct, frozen=True):
    """How far a rebuild has come."""

    projection: str
    phase: Phase
    #: The number of events that were folded into the shadow table, and of those in the log.
    position: int
    target: int
    #: Events a second, lately.
    rate: float
    #: Seconds until the shadow table is where the log is now, at that rate; None where that is not known.
    eta: float | None


async def rebuild(
    database: Database, projection: Projection, options: Options, tell: Callable[[Progress], None] = lambda _: None
) -> Report:
    """Rebuild the table of `projection` from the log, compare it with the live one and put it in its place.

    Goes on where an interrupted run stopped, and so it does itself where it loses the database for a while. Raises
    LockHeldError where it is being rebuilt already, RebuildCancelledError, UnavailableError, and what a fold raises.
    """
    run = _Run(database, projection, options, tell)
    lost = 0.0
    while True:
        run.moved = False
        try:
            async with database.lock(rebuild_state.lock_name(projection.name)):
                return await run.go()
        except (UnavailableError, OutcomeUnknownError):
            # Whether the last commit took place, the checkpoint tells.
            if not run.begun:
                raise
            if run.moved or not lost:
                lost = monotonic()
            elif monotonic() - lost > _RETRY_SECONDS:
                raise
        await asyncio.sleep(_RETRY_PAUSE)


class _Run:
    def __init__(
        self, database: Database, projection: Projection, options: Options, tell: Callable[[Progress], None]
    ) -> None:
        self._database = database
        self._options = options
        self._tell = tell
        self._shadow = Shadow(projection)
        self._filling = ShadowLoader(database, self._shadow, options.throttle, self._written)
        self._phase: Phase = "fill"
        self._seconds = dict[str, float]()
        self._comparison: Comparison | None = None
        #: The keys of rows that changed since they were compared.
        self._touched = set[int]()
        self._stop: Exception | None = None
        #: Whether the database knows of this run, and whether it has got anywhere since it was set to False.
        self.begun = False
        self.moved = False

    async def go(self) -> Report:
        """Do what is left to do. Raises UnavailableError or OutcomeUnknownError where it can be called again."""
        from_scratch = self._options.from_scratch
        begun = await self._database.write(lambda c: self._shadow.begin(c, from_scratch=from_scratch))
        if begun.state == "succeeded":
            assert begun.report is not None
            return begun.report
        self.begun, self._filling.target = True, begun.target
        watch = asyncio.create_task(self._watch())
        try:
            return await self._go()
        except asyncio.CancelledError:
            self._stop = RebuildCancelledError()  # a comparison may go on in a thread
            await self._end(state="interrupted")
            raise
        except RebuildCancelledError:
            await self._end(drop=True, state="cancelled")
            raise
        except (UnavailableError, OutcomeUnknownError, OvertakenError):
            raise
        except Exception as error:
            await self._end(state="failed", failure=f"{error}" or repr(error))
            raise
        finally:
            watch.cancel()

    async def _go(self) -> Report:
        with self._timed("fill"):
            await self._filling.fill(self._go_on)
        await self._enter("index")
        with self._timed("index"):
            while await self._database.write(self._shadow.index):
                self._go_on()
        await self._filling.fill(self._go_on)  # what came meanwhile
        await self._enter("compare")
        with self._timed("compare"):
            self._comparison, self._touched = None, set()
            self._comparison = await self._database.read_transaction(self._compare)
        await self._enter("swap")
        report = await self._swap_when_free()
        await self._end(drop=True, report=report)
        return report

    def _written(self, folded: Folded) -> None:
        self._touched.update(folded.changes if self._comparison else ())
        self.moved = True
        self._say()

    def _compare(self, connection: Connection) -> Comparison | None:
        """Hold the shadow table against the live one, every row, both as of one moment."""
        projection, shadow = self._shadow.projection, self._shadow
        if not table_swap.exists(connection, projection.table.name):
            return None
        there = table_swap.column_names(connection, projection.table.name)
        comparison = Comparison(projection.table, shadow.table, there, log.head_position(connection))
        left = shadow.cursor.read(connection, comparison.position)
        overlay = fold(connection, projection, shadow.table, shadow.cursor, left).changes if left else {}
        comparison.all(connection, overlay, self._go_on)
        return comparison

    def _go_on(self) -> None:
        if self._stop:
            raise self._stop

    async def _swap_when_free(self) -> Report:
        for _ in range(_SWAP_TRIES):
            await self._filling.fill(self._go_on)
            began = monotonic()
            # Who reads the live table for long is not waited for, since whoever writes would have to wait as well.
            with suppress(UnavailableError):
                if report := await self._database.write(self._swap):
                    held = None if self._options.dry_run else round((monotonic() - began) * 1000, 3)
                    return msgspec.structs.replace(report, lock_held_ms=held)
            await asyncio.sleep(_SWAP_PAUSE)
        raise UnavailableError

    def _swap(self, connection: Connection) -> Report | None:
        """Do the last step in one transaction under the append lock; give None where too much is left for it."""
        shadow = self._shadow
        with connection.begin() as transaction:
            head = log.lock_head(connection)
            if head.position - shadow.cursor.position > _MOST_LEFT:
                return None
            began = monotonic()
            changed = catch_up(connection, shadow.projection, shadow.table, shadow.cursor)
            if self._comparison:
                self._comparison.again(connection, self._touched | changed)
            self._seconds["swap"] = monotonic() - began
            events = self._filling.events + head.position - shadow.cursor.position
            report = self._report(head.position, events, shadow.count(connection))
            if not self._options.dry_run:
                shadow.swap_in(connection, head.position)
            reached = ReplayCheckpoint(head.position)
            shadow.note(connection, state="succeeded", cursor=reached, target=head.position, report=report)
            commit(transaction)
        return report

    def _report(self, position: int, events: int, rows: int) -> Report:
        compared = self._comparison
        live, rebuilt = (compared and compared.digests) or (None, None)
        return Report(
            projection=self._shadow.projection.name,
            version=self._shadow.projection.version,
            position=position,
            events=events,
            rate=round(self._filling.events / max(self._seconds["fill"], 1e-6)),
            seconds={phase: round(seconds, 3) for phase, seconds in self._seconds.items()},
            rows=rows,
            rows_compared=compared.compared if compared else 0,
            rows_differ=compared.differing if compared else 0,
            samples=compared.shown() if compared else [],
            columns_added=compared.added if compared else [],
            columns_dropped=compared.dropped if compared else [],
            compared_at=compared.position if compared else None,
            digest_live=live,
            digest_rebuilt=rebuilt,
            lock_held_ms=None,
            swapped=not self._options.dry_run,
        )

    async def _watch(self) -> None:
        """Look now and then whether this run is to stop."""
        while self._stop is None:
            await asyncio.sleep(_WATCH_PAUSE)
            with suppress(UnavailableError):
                self._stop = await self._shadow.why_stop(self._database)

    async def _enter(self, phase: Phase) -> None:
        self._phase = phase
        await self._database.write(lambda connection: self._shadow.enter(connection, phase))
        self._say()

    async def _end(self, *, drop: bool = False, **changes: Any) -> None:
        """Note how this run ended, where that can be done."""
        with suppress(UnavailableError, OutcomeUnknownError, OvertakenError):
            await self._database.write(lambda connection: self._shadow.end(connection, drop=drop, **changes))

    @contextmanager
    def _timed(self, phase: Phase) -> Iterator[None]:
        began = monotonic()
        yield
        self._seconds[phase] = self._seconds.get(phase, 0.0) + monotonic() - began

    def _say(self) -> None:
        name, position = self._shadow.projection.name, self._shadow.cursor.position
        target, rate = self._filling.target, self._filling.rate
        eta = (target - position) / rate if rate else None
        self._tell(Progress(name, self._phase, position, target, round(rate), eta))
