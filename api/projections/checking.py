"""The check in the background: whichever process comes first runs it, and logs what becomes known."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from eventstore.database.database import Database
from eventstore.errors import LockHeldError, OutcomeUnknownError, UnavailableError
from projections import PROJECTIONS
from projections.drift import LOCK, DriftCheck, News

log = structlog.get_logger()

#: How often a process looks whether the one that checks is gone, in steps that that one does.
_PATIENCE = 6


@asynccontextmanager
async def checking(database: Database, interval: float) -> AsyncIterator[None]:
    """Check projections until the block ends, a step every `interval` seconds; not at all where that is 0."""
    task = asyncio.create_task(_check(database, interval), name="check") if interval else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _check(database: Database, interval: float) -> None:
    check = DriftCheck(database, PROJECTIONS)
    failure = None
    while True:
        await asyncio.sleep(interval)
        try:
            async with database.lock(LOCK):
                await check.resume()
                while True:
                    for news in await check.step():
                        _say(news)
                    failure = None
                    await asyncio.sleep(interval)
        except LockHeldError:
            await asyncio.sleep(interval * (_PATIENCE - 1))
        except (UnavailableError, OutcomeUnknownError):
            pass  # whoever answers requests says so
        except Exception as error:
            # Nothing that it meets may stop it; what it meets again and again is said once.
            if (again := repr(error)) != failure:
                log.exception("check of projections failed")
            failure = again


def _say(news: News) -> None:
    about: dict[str, object] = {"projection": news.projection}
    if news.finding:
        about["id"] = news.finding.id
    match news.kind:
        case "drifted":
            assert news.finding is not None
            differing = {value.column: {"table": value.live, "log": value.rebuilt} for value in news.finding.values}
            log.error("a row is not what the log says", **about, position=news.finding.position, values=differing)
        case "more":
            log.error("many rows are not what the log says", **about)
        case "right":
            log.info("a row is what the log says again", **about)
