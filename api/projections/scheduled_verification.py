"""Verify every table at an interval, in one of the processes that serve, and log the results."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog

from api.durations import Interval
from eventstore.clock import now
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.errors import LockHeldError, OutcomeUnknownError, UnavailableError
from projections import PROJECTIONS, verification_state
from projections.projection import Projection
from projections.projection_status import projection_statuses
from projections.verification_state import Verification
from projections.verify import SNAPSHOTS, Verdict, verify_table

T = TypeVar("T")

log = structlog.get_logger()

#: The name of the lock that the process holds while it verifies.
LOCK = "verify"
#: How long a verification pauses after a chunk, in times of what the chunk took: it uses a fifth of one core at most.
_PAUSE_RATIO = 4.0
#: Few, so that a chunk takes some 20 ms and requests of this process wait less for Python's global lock.
_CHUNK_EVENTS = 2_000
#: The longest pause before the first run, and between two tries while another process verifies or the database fails.
_MOST_PAUSE_SECONDS = 60.0


@asynccontextmanager
async def scheduled_verification(database: Database, interval: Interval) -> AsyncIterator[None]:
    """Verify the tables every `interval` until the block ends. A verification that runs then is stopped."""
    if interval.seconds is None:
        yield
        return
    schedule = VerificationSchedule(database, interval.seconds)
    task = asyncio.create_task(_run(schedule, min(interval.seconds, _MOST_PAUSE_SECONDS)), name="verification")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _run(schedule: "VerificationSchedule", pause_seconds: float) -> None:
    failure, wait_seconds = None, pause_seconds
    while True:
        await asyncio.sleep(wait_seconds)
        wait_seconds = pause_seconds
        try:
            wait_seconds = await schedule.run_due()
            failure = None
        except (LockHeldError, UnavailableError, OutcomeUnknownError):
            pass  # another process verifies; or requests fail as well, which is logged there
        except Exception as error:
            # No failure ends the schedule. One that repeats is logged once.
            if (again := repr(error)) != failure:
                log.exception("projection verification failed")
            failure = again


class VerificationSchedule:
    """Verifies the tables in rounds: the projections in their order, then the snapshots.

    The next round is due one interval after the last one finished. Each result is stored when its table is finished. So
    a round that was interrupted resumes, in this process or another, with the table after the one that finished last.
    """

    def __init__(self, database: Database, interval_seconds: float, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._interval_seconds = interval_seconds
        self._clock = clock

    async def run_due(self) -> float:
        """Verify what is due, one table after another; return the seconds until the next round is.

        Raises LockHeldError where another process verifies, UnavailableError, OutcomeUnknownError, and what a fold
        raises for events that it cannot read.
        """
        async with self._database.lock(LOCK):
            while True:
                stored = await verification_state.find_all(self._database)
                projection, wait_seconds = await self._next(stored)
                if wait_seconds > 0:
                    return wait_seconds
                await self._verify(projection, stored.get(projection.name if projection else SNAPSHOTS))

    async def _next(self, stored: Mapping[str, Verification]) -> tuple[Projection | None, float]:
        """Return the next table, None for the snapshots, and the seconds until it is due.

        Tables of another version are left out: `state` shows them, and a rebuild replaces them.
        """
        statuses = await projection_statuses(self._database, PROJECTIONS)
        tables: dict[str, Projection | None] = {one.projection.name: one.projection for one in statuses if one.current}
        names = [*tables, SNAPSHOTS]
        for name in names:
            if name not in stored:
                return tables.get(name), 0
        place = max(range(len(names)), key=lambda at: (stored[names[at]].finished_at, at))
        if place + 1 < len(names):
            return tables.get(names[place + 1]), 0
        elapsed = (self._clock() - stored[SNAPSHOTS].finished_at) / 1e6
        # Where the clock was set back it waits for one interval at most.
        return tables.get(names[0]), self._interval_seconds - max(elapsed, 0)

    async def _verify(self, projection: Projection | None, before: Verification | None) -> None:
        started_at = self._clock()
        url = self._database.url.render_as_string(hide_password=False)
        verdict = await _in_thread(partial(_verify, url, projection))
        done = Verification(verdict.name, started_at, self._clock(), verdict)
        await self._database.write(partial(verification_state.put, verification=done))
        _log(verdict, differed=before is not None and before.verdict.rows_differ > 0)


async def _verify(url: str, projection: Projection | None) -> Verdict:
    database = open_database(url)
    try:
        return await verify_table(database, projection, pause_ratio=_PAUSE_RATIO, chunk_events=_CHUNK_EVENTS)
    finally:
        await database.dispose()


async def _in_thread(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `work` in a thread with its own event loop: on PostgreSQL a fold and its pauses block the loop they run in.

    When the caller is cancelled, cancel `work` and wait for its end.
    """
    loop = asyncio.new_event_loop()

    def run() -> T:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(work())

    def cancel() -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel()

    with ThreadPoolExecutor(1, "itemledger-verify") as executor:
        running = asyncio.get_running_loop().run_in_executor(executor, run)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            with suppress(RuntimeError):  # the loop is closed: it has just ended
                loop.call_soon_threadsafe(cancel)
            await asyncio.gather(running, return_exceptions=True)
            raise


def _log(verdict: Verdict, *, differed: bool) -> None:
    """Log a result. `projection` is "snapshots" for the snapshots."""
    found: dict[str, object] = {"projection": verdict.name, "position": verdict.position}
    found |= {"rows_compared": verdict.rows_compared, "rows_differ": verdict.rows_differ}
    if verdict.problems:
        found["problems"] = verdict.problems
    if verdict.rows_differ:
        log.error("projection drift detected", **found, samples=msgspec.to_builtins(verdict.samples))
    elif verdict.problems:
        log.error("projection problem detected", **found)
    else:
        log.info("projection drift resolved" if differed else "projection verified", **found)
