"""What commands that need the database have in common: settings, the way there, errors in one line, a clean stop."""

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

import migrations
from api.app import StartError
from api.settings import SettingsError, from_environment
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.errors import EventStoreError

T = TypeVar("T")

_NICE = 10
_SWITCH_SECONDS = 0.0005


def with_database(use: Callable[[Database], Awaitable[T]], *, stopped: str = "Stopped", small_cache: bool = False) -> T:
    """Run `use` with the database that the environment names, and give its result; `small_cache`: see open_database.

    Where the settings or the database are not as they must be, the process ends with 1 and one line that says so. On
    SIGINT or SIGTERM `use` is cancelled, and the process ends with the line `stopped`, and with 130 or 143.
    """
    signals: list[int] = []

    async def run() -> T:
        with _cancelled_by_signals(signals):
            database = open_database(settings.database_url.reveal(), long_running=True, small_cache=small_cache)
            try:
                return await use(database)
            finally:
                await database.dispose()

    try:
        settings = from_environment()
        return asyncio.run(run())
    except asyncio.CancelledError:
        click.echo(stopped, err=True)
        raise click.exceptions.Exit(128 + signals[0]) from None
    except (SettingsError, StartError, EventStoreError, migrations.UnknownRevisionError, SQLAlchemyError) as error:
        # SQLAlchemy's errors go on with the statement and a link; their first line says what is wrong.
        cause = f" ({str(error.__cause__).partition(chr(10))[0]})" if error.__cause__ else ""
        raise click.ClickException(f"{error}".partition("\n")[0] + cause) from error


def freeze_gc() -> None:
    """Tell the garbage collector that what is loaded now stays.

    Without this it goes through all of that again and again, for tens of milliseconds in which no request is served.
    And since what requests leave behind is mostly no cycles, it is told to look less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def lower_priority() -> None:
    """Make this process less urgent than one that answers requests, perhaps on the same machine.

    Its threads are to take turns quickly: one that has to ask the database for something else must not wait for long.
    """
    os.nice(_NICE)
    sys.setswitchinterval(_SWITCH_SECONDS)
    freeze_gc()


@contextmanager
def _cancelled_by_signals(signals: list[int]) -> Iterator[None]:
    """Have signals that ask for a stop cancel the task that runs; which came is added to `signals`."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop(number: int) -> None:
        signals.append(number)
        task.cancel()

    asking = (signal.SIGINT, signal.SIGTERM)
    for number in asking:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in asking:
            loop.remove_signal_handler(number)
