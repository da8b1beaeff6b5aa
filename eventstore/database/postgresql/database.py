"""PostgreSQL: a server shared by several processes. The row of `log_head` orders their appends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlalchemy import URL, Connection, NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from eventstore.database.database import READING, Database
from eventstore.database.failures import DISCONNECTING, translated
from eventstore.database.lookups import PostgresLookup
from eventstore.database.postgresql.appender import PostgresAppender
from eventstore.database.postgresql.connections import OpenConnections
from eventstore.database.session import require_utf8
from eventstore.errors import LockHeldError, NoBackupError, UnavailableError, UnsafeDatabaseError
from eventstore.log.head import lock_head
from eventstore.log.past import Needs
from eventstore.log.write_set import Decide, Projector

T = TypeVar("T")

#: Settings that decide whether a commit survives a crash, and their safe values.
_SAFE_SETTINGS = {"synchronous_commit": ("on", "remote_apply"), "fsync": ("on",), "full_page_writes": ("on",)}

#: The most reads at once; half of the connections stay open.
_MAX_READERS = 8

#: The channel on which processes notify each other of commits.
_CHANNEL = "itemledger"
#: The shortest and the longest time between two NOTIFYs: a silent connection may have been lost unnoticed.
_MIN_NOTIFY_SECONDS, _MAX_NOTIFY_SECONDS = 0.01, 15.0

_SERVER_TIME = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
_TAKE_LOCK = text("SELECT pg_try_advisory_lock(:key)")
_LOCK_TAKEN = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND classid::bigint = :high AND objid::bigint = :low "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)


def _lock_key(name: str) -> int:
    """Return a positive 64-bit number that no other user of advisory locks takes by chance."""
    return int.from_bytes(sha256(b"itemledger " + name.encode()).digest()[:8]) >> 1


class PostgresDatabase(Database):
    """A server shared by several processes."""

    def __init__(self, url: URL, *, long_running: bool = False) -> None:
        settings = {
            "application_name": "itemledger",
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": "5s",
            "lock_timeout": "2s",
            "idle_in_transaction_session_timeout": "10s",
            "default_transaction_isolation": "read committed",
            # All our statements follow an index, in its order and only as far as they read. A newly filled table has no
            # statistics; without them the planner must not read a whole table and sort it.
            **dict.fromkeys(("enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort"), "off"),
            "max_parallel_workers_per_gather": "0",
        }
        # The client's timeout is longer than the server's, whose error is more precise. Migrations set their own.
        options: dict[str, Any] = {"timeout": 2, "command_timeout": None if long_running else 7}
        reading = {**options, "server_settings": {**settings, "default_transaction_read_only": "on"}}
        # The writer's few statements are planned once: their plans do not depend on their parameters.
        writing = {**options, "server_settings": {**settings, "plan_cache_mode": "force_generic_plan"}}
        kept = _MAX_READERS // 2
        pool = {"pool_size": kept, "max_overflow": _MAX_READERS - kept, **READING}
        super().__init__(url, create_async_engine(url, **pool, connect_args=reading), _MAX_READERS)
        self._writer = create_async_engine(url, poolclass=NullPool, connect_args=writing)
        self._isolated = create_async_engine(
            url, poolclass=NullPool, isolation_level="REPEATABLE READ", connect_args=reading
        )
        self._open = OpenConnections()
        for engine in (self.reader, self._writer, self._isolated):
            self._open.watch(engine.sync_engine)
        self._connection: AsyncConnection | None = None
        self._appender: PostgresAppender | None = None
        self._alone = asyncio.Lock()

    async def write(self, work: Callable[[Connection], T]) -> T:
        async with self._writing() as connection:
            return await connection.run_sync(work)

    async def append(
        self, needs: Needs, decide: Decide[T], projector: Projector, *, locked: bool = False, bulk: bool = False
    ) -> T:
        async with self._writing() as connection:
            if self._appender is None:
                self._appender = await PostgresAppender.open(connection)
            return await self._appender.append(needs, decide, projector, locked=locked, bulk=bulk)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """Provide the write connection, to one task at a time; close it where it may be unusable."""
        async with self._alone:
            try:
                with translated():
                    if self._connection is None:
                        self._connection = await self._connect()
                    yield self._connection
            except (*DISCONNECTING, asyncio.CancelledError):
                await self._disconnect()
                raise

    async def _connect(self) -> AsyncConnection:
        try:
            return await self._writer.connect()
        except Exception as error:
            raise UnavailableError from error

    async def _disconnect(self) -> None:
        connection, self._connection, self._appender = self._connection, None, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def _open_lookup(self) -> PostgresLookup:
        return await PostgresLookup.open(self.reader)

    async def read_transaction(self, work: Callable[[Connection], T]) -> T:
        with translated():
            async with self._turns.held(), self.reader.connect() as connection:
                await connection.execution_options(isolation_level="REPEATABLE READ")
                return await connection.run_sync(work)

    async def run_isolated(self, work: Callable[[Connection], T]) -> T:
        with translated():
            async with self._isolated.connect() as connection:
                return await connection.run_sync(work)

    async def back_up(self, path: Path) -> None:
        raise NoBackupError

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """See Database.lock. The session holds the lock: it ends with the connection, however that ends."""
        with translated():
            connection = await self._writer.connect()
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            taken = await connection.scalar(_TAKE_LOCK, {"key": _lock_key(name)})
        try:
            if not taken:
                raise LockHeldError(name)
            yield
        finally:
            await connection.close()  # the pool keeps no connections

    async def is_locked(self, name: str) -> bool:
        high, low = divmod(_lock_key(name), 1 << 32)
        return bool((await self.read(_LOCK_TAKEN, {"high": high, "low": low}))[0][0])

    async def relay_notifications(self, committed: asyncio.Event, heard: Callable[[], None]) -> NoReturn:
        """See Database.relay_notifications. Uses LISTEN and NOTIFY on a connection of its own.

        NOTIFY in the transaction that appends would make the commits of all databases of the server wait for each
        other. Here it costs writes nothing, and commits in quick succession share one.
        """
        with translated():
            async with self._isolated.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                driver: Any = (await connection.get_raw_connection()).driver_connection
                own_pid = driver.get_server_pid()
                driver.add_termination_listener(lambda _: committed.set())  # so that NOTIFY fails, below
                # A NOTIFY is a transaction. Its flush would delay the commits of writes, and a lost one is harmless.
                await driver.execute("SET synchronous_commit = off")
                await driver.add_listener(_CHANNEL, lambda _, pid, *__: None if pid == own_pid else heard())
                heard()  # earlier notifications may have been missed
                while True:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_MAX_NOTIFY_SECONDS):
                            await committed.wait()
                    committed.clear()
                    await driver.execute(f"NOTIFY {_CHANNEL}")
                    await asyncio.sleep(_MIN_NOTIFY_SECONDS)

    async def check_writable(self) -> None:
        def lock(connection: Connection) -> None:
            with connection.begin() as transaction:
                lock_head(connection)  # refused by a server that only reads
                transaction.rollback()

        await self.write(lock)

    async def server_time(self) -> int:
        return int((await self.read(_SERVER_TIME))[0][0])

    async def check(self) -> None:
        await self.read_transaction(require_utf8)
        for name, safe in _SAFE_SETTINGS.items():
            value = (await self.read(text(f"SHOW {name}")))[0][0]
            if value not in safe:
                raise UnsafeDatabaseError(f"PostgreSQL runs with {name}={value}; set it to {' or '.join(safe)}")

    def stop_within(self, seconds: float) -> None:
        self._open.close_quickly()
        asyncio.get_running_loop().call_later(seconds, self._open.end)

    async def dispose(self) -> None:
        self._open.close_quickly()
        await self._lookups.close()
        await self._disconnect()
        await self._writer.dispose()
        await self.reader.dispose()
