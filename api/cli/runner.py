"""Shared by the commands: options, the database, errors in one line, and a clean stop on a signal."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError

from api.cli.exit_codes import FAILED, INTERRUPTED, CommandError
from api.cli.output import echo
from api.settings import SettingsError, from_environment
from api.startup import StartError
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.errors import EventStoreError
from migrations import UnknownRevisionError

T = TypeVar("T")

_NICE = 10
#: Threads switch often, so that one that has to query the database does not wait for long.
_SWITCH_SECONDS = 0.0005
#: Exceptions that end a command with their message.
_REPORTED = (SettingsError, StartError, EventStoreError, UnknownRevisionError, SQLAlchemyError)


def with_database(
    use: Callable[[Database], Awaitable[T]],
    check: Callable[[Database], Awaitable[None]] | None = None,
    *,
    reported: tuple[type[Exception], ...] = (),
    stopped: str = "Stopped",
    small_cache: bool = False,
) -> T:
    """Run `use` with the database that the environment names, after `check`, and return its result.

    An error of the settings or the database, or one of `reported`, ends the process with exit code 2 and its message in
    one line. SIGINT and SIGTERM cancel `use`; the process then prints `stopped` and ends with 130 or 143. For
    `small_cache` see open_database.
    """
    signals: list[int] = []

    async def run() -> T:
        with _cancelled_by_signals(signals):
            database = open_database(settings.database_url.reveal(), long_running=True, small_cache=small_cache)
            try:
                if check is not None:
                    await check(database)
                return await use(database)
            finally:
                await database.dispose()

    try:
        settings = from_environment()
        return asyncio.run(run())
    except asyncio.CancelledError:
        echo(stopped, err=True)
        raise click.exceptions.Exit(INTERRUPTED + signals[0]) from None
    except BrokenPipeError:
        raise click.exceptions.Exit(FAILED) from None  # the reader of an export has gone: there is nobody to tell
    except _REPORTED + reported as error:
        # SQLAlchemy appends the statement and a link; the first line says what is wrong.
        cause = f" ({str(error.__cause__).partition(chr(10))[0]})" if error.__cause__ else ""
        raise CommandError(f"{error}".partition("\n")[0] + cause) from error


def freeze_gc() -> None:
    """Exclude everything loaded so far from garbage collection, and collect less often.

    Otherwise the collector visits all of it again and again, for tens of milliseconds in which no request is served.
    Few of the objects that requests leave behind are cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def lower_priority() -> None:
    """Lower the priority of this process below that of a service on the same machine."""
    os.nice(_NICE)
    sys.setswitchinterval(_SWITCH_SECONDS)
    freeze_gc()


@contextmanager
def _cancelled_by_signals(signals: list[int]) -> Iterator[None]:
    """Cancel the current task on SIGINT and SIGTERM; the signal's number is appended to `signals`."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop(number: int) -> None:
        signals.append(number)
        task.cancel()

    stopping = (signal.SIGINT, signal.SIGTERM)
    for number in stopping:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in stopping:
            loop.remove_signal_handler(number)
