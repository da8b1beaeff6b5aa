"""A log's database, whichever it is: one write connection, and reads that can't write.

What happens between BEGIN and COMMIT is ordinary synchronous SQLAlchemy Core over a `Connection`. `Database.write` runs
it where the driver wants it: on PostgreSQL in a greenlet over asyncpg, on SQLite in the one thread that owns the write
connection. There a batch of statements costs one hop between threads; aiosqlite, which serves the reads, would take
four for every statement.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from eventstore.errors import UnavailableError
from eventstore.failures import raise_translated

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
    async def check(self) -> None:
        """Raise UnsafeDatabaseError where the database is set up so that it would lose acknowledged writes."""

    @abstractmethod
    async def dispose(self) -> None:
        """Close every connection."""

    async def read(self, statement: Executable, parameters: Mapping[str, object] | None = None) -> Sequence[Row[Any]]:
        """Run one SELECT on the read-only engine and give its rows. Raises UnavailableError.

        A statement reads one snapshot. A connection that was lost while idle is replaced once: reads are repeatable.
        """
        try:
            return await self._read(statement, parameters)
        except (DBAPIError, OSError) as error:
            if not getattr(error, "connection_invalidated", False):
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
