"""A log's database, whichever it is: one write connection, and reads that can't write.

What happens between BEGIN and COMMIT is ordinary synchronous SQLAlchemy Core over a `Connection`. `Database.write` runs
it where the driver wants it: on PostgreSQL in a greenlet over asyncpg, on SQLite in the one thread that owns the write
connection. There a batch of statements costs one hop between threads; aiosqlite, which serves the reads, would take
four for every statement.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlalchemy import URL, Connection, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from eventstore.database.failures import is_stale, raise_translated
from eventstore.errors import UnavailableError

T = TypeVar("T")

#: One SELECT is one round trip (or hop between threads) less before and after, and still one snapshot.
READING: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True, "pool_timeout": 2}


class Database(ABC):
    """One log's database: a single write connection, and an engine for reads that can't write."""

    def __init__(self, url: URL, reader: AsyncEngine) -> None:
        self.url = url
        self.reader = reader

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the write connection, alone, and give its result; `work` begins and commits by itself.

        Raises UnavailableError where the database can't work now, OutcomeUnknownError from a failed commit, and
        whatever else `work` raises as it is.
        """

    @abstractmethod
    async def read_transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that can't write, and give its result: all that it reads is of one moment.

        Raises UnavailableError where the database can't work now, and whatever else `work` raises as it is.
        """

    @abstractmethod
    async def run_isolated(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection of its own and give its result; see `temporary.py` for all that it can write to.

        It begins and ends transactions by itself, and each reads as of one moment. It may take long: nobody waits for
        it. Raises UnavailableError where the database can't work now, and whatever else `work` raises as it is.
        """

    @abstractmethod
    async def back_up(self, path: Path) -> None:
        """Copy the whole database, as it is at one moment, to a new file, and check the copy. It is not made durable.

        Others go on writing meanwhile. Raises NoBackupError where the database has tools of its own for that,
        DamagedCopyError, UnavailableError.
        """

    @abstractmethod
    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock called `name`, which one of all processes can, until the block ends or the process does.

        Raises LockHeldError where another holds it, and UnavailableError.
        """

    @abstractmethod
    async def is_locked(self, name: str) -> bool:
        """Tell whether anyone holds the lock called `name`. Raises UnavailableError."""

    @abstractmethod
    async def relay_notifications(self, committed: asyncio.Event, heard: Callable[[], None]) -> NoReturn:
        """Tell other processes when `committed` is set, and call `heard` when they tell us, until cancelled.

        It helps them to look sooner, and is all it does: what they tell may be lost. Raises UnavailableError where they
        can't be told any more, and then may be called again.
        """

    @abstractmethod
    async def check(self) -> None:
        """Raise UnsafeDatabaseError where the database is set up so that it would lose acknowledged writes."""

    @abstractmethod
    async def dispose(self) -> None:
        """Close every connection."""

    async def read(self, statement: Executable, parameters: Mapping[str, object] | None = None) -> Sequence[Row[Any]]:
        """Run one SELECT on the read-only engine and give its rows. Raises UnavailableError.

        A statement reads one snapshot. A connection that was lost while idle is replaced once, and a statement whose
        tables changed is prepared anew: reads are repeatable.
        """
        try:
            return await self._read(statement, parameters)
        except (DBAPIError, OSError) as error:
            if not (is_stale(error) or getattr(error, "connection_invalidated", False)):
                raise_translated(error)
        try:
            return await self._read(statement, parameters)
        except (DBAPIError, OSError) as error:
            raise_translated(error)

    async def _read(self, statement: Executable, parameters: Mapping[str, object] | None) -> Sequence[Row[Any]]:
        try:
            connection = await self.reader.connect()
        except Exception as error:
            raise UnavailableError from error
        try:
            return (await connection.execute(statement, parameters)).all()
        finally:
            await connection.close()
