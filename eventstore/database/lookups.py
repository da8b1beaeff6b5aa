"""Look-ups on connections of their own, over the driver's cursor: without SQLAlchemy, whose cost is most of theirs."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, Self

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventstore.database.failures import reported_by_database, translate
from eventstore.errors import UnavailableError

Rows = Sequence[Sequence[Any]]


class LookupConnection(Protocol):
    """A connection that can't write, used by one task at a time."""

    @property
    def usable(self) -> bool:
        """Whether it is open, as far as this process knows."""
        ...

    async def fetch(self, text: str, arguments: Sequence[object]) -> Rows:
        """Run one SELECT and return its rows."""
        ...

    async def discard(self) -> None:
        """Close it without waiting for an answer."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


class Lookups:
    """Runs look-ups, each on an idle connection or a new one. As many stay open as were needed at once."""

    def __init__(self, connect: Callable[[], Awaitable[LookupConnection]]) -> None:
        self._connect = connect
        self._idle: list[LookupConnection] = []

    async def fetch(self, text: str, arguments: Sequence[object]) -> Rows:
        """Run one SELECT and return its rows.

        Reads are repeatable: runs again where an idle connection had been lost. A connection that fails, or does not
        answer before the caller is cancelled, is not used again.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.usable:
                await connection.discard()
                continue
            try:
                return await self._use(connection, text, arguments)
            except Exception as error:
                if not _may_be_lost(error):
                    raise
        try:
            connection = await self._connect()
        except Exception as error:
            raise UnavailableError from error
        return await self._use(connection, text, arguments)

    async def _use(self, connection: LookupConnection, text: str, arguments: Sequence[object]) -> Rows:
        try:
            rows = await connection.fetch(text, arguments)
        except BaseException:
            await connection.discard()
            raise
        self._idle.append(connection)
        return rows

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            await self._idle.pop().close()


def _may_be_lost(error: Exception) -> bool:
    """Return whether the connection may be lost: what went wrong is transient, or the database itself reported none."""
    return not reported_by_database(error) or isinstance(translate(error), UnavailableError)


class SqliteLookup:
    """A connection with a thread of its own."""

    usable = True

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._thread = ThreadPoolExecutor(1, "itemledger-lookup")
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    async def fetch(self, text: str, arguments: Sequence[object]) -> Rows:
        """Run one SELECT and return its rows."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._fetch, text, arguments)

    def _fetch(self, text: str, arguments: Sequence[object]) -> Rows:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection.execute(text, arguments).fetchall()

    async def discard(self) -> None:
        """Interrupt its statement, and close it where its thread gets to it."""
        if self._connection is not None:
            self._connection.interrupt()
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    async def close(self) -> None:
        """Close it."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class PostgresLookup:
    """A connection that was made for a pool, and taken out of it."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self._connection = connection
        self._driver = driver

    @classmethod
    async def open(cls, engine: AsyncEngine) -> Self:
        """Open a connection as `engine` does."""
        connection = await engine.connect()
        driver = (await connection.get_raw_connection()).driver_connection  # none once it is out of the pool
        await connection.run_sync(Connection.detach)
        return cls(connection, driver)

    @property
    def usable(self) -> bool:
        """Whether it is open, as far as this process knows."""
        return not self._driver.is_closed()

    async def fetch(self, text: str, arguments: Sequence[object]) -> Rows:
        """Run one SELECT and return its rows."""
        rows: Rows = await self._driver.fetch(text, *arguments)
        return rows

    async def discard(self) -> None:
        """Close it without waiting for an answer."""
        self._driver.terminate()
        await self._connection.close()

    async def close(self) -> None:
        """Close it."""
        await self._connection.close()
