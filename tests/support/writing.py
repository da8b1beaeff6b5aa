"""A writer under test, the commands to give it, and commits whose outcome is lost."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from commands.batch import Recorded
from commands.item import CreateItem
from commands.writer import Writer
from eventstore.database.database import Database
from eventstore.database.postgresql.appender import PostgresAppender
from eventstore.database.sqlite import appender as sqlite_appender
from eventstore.database.sqlite.database import SqliteDatabase
from eventstore.errors import OutcomeUnknownError
from eventstore.events import Metadata
from eventstore.log.write_set import WriteSet
from projections import PROJECTIONS
from projections.live import LiveProjections

_numbers = count(1)


@asynccontextmanager
async def writing(database: Database, **options: Any) -> AsyncIterator[Writer]:
    """Run a writer over `database`; close it at the end."""
    writer = Writer(database, LiveProjections(PROJECTIONS), **options)
    try:
        yield writer
    finally:
        await writer.close()


def metadata() -> Metadata:
    """Return a command's metadata, with an id of its own."""
    return Metadata(command_id=f"command-{next(_numbers)}")


async def create(writer: Writer, name: str = "Pen") -> Recorded:
    """Create an item."""
    return await writer.submit(CreateItem(name, Decimal("9.99")), metadata=metadata())


def lose_commits(monkeypatch: pytest.MonkeyPatch, database: Database, times: int, *, committed: bool) -> None:
    """Fail the first commits with an unknown outcome, as if the connection broke before or after they took place."""
    left = times

    def lost() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    def commit(driver: sqlite3.Connection) -> None:
        if not lost():
            return driver.commit()
        if committed:
            driver.commit()
        raise OutcomeUnknownError

    async def run(appender: PostgresAppender, write_set: WriteSet) -> bool:
        if appender._driver.is_in_transaction() or not lost():
            return await run_statement(appender, write_set)
        if committed:
            assert await run_statement(appender, write_set)
        raise ConnectionResetError

    async def commit_locked(appender: PostgresAppender) -> None:
        if not lost():
            return await run_commit(appender)
        if committed:
            await run_commit(appender)
        raise OutcomeUnknownError

    run_statement, run_commit = PostgresAppender._run, PostgresAppender._commit
    if isinstance(database, SqliteDatabase):
        monkeypatch.setattr(sqlite_appender, "commit", commit)
    else:
        monkeypatch.setattr(PostgresAppender, "_run", run)
        monkeypatch.setattr(PostgresAppender, "_commit", commit_locked)
