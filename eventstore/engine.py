"""The two databases: how each is opened, locked, written and read, and what its errors mean.

Everything that differs between SQLite and PostgreSQL is in this file (and in `migrations/`). The rest of the code is
ordinary synchronous SQLAlchemy Core over a `Connection`, which `Database.write` runs where the driver wants it: on
PostgreSQL in a greenlet over asyncpg, on SQLite in the one thread that owns the write connection. There a batch of
statements costs one hop between threads; aiosqlite, which serves the reads, would take four for every statement.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Executable,
    NullPool,
    RootTransaction,
    Row,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from eventstore.errors import (
    OutcomeUnknownError,
    StorageFullError,
    UnavailableError,
    UnsafeDatabaseError,
    UnsupportedDatabaseError,
)

T = TypeVar("T")

#: The append lock's key: "itemledg" as a 64-bit integer, so that no other user of advisory locks meets it by chance.
_LOCK_KEY = int.from_bytes(b"itemledg")
_LOCK = text(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")

_SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # NORMAL loses acknowledged commits on power loss
    "busy_timeout=5000",
    "foreign_keys=ON",
    "recursive_triggers=ON",  # else INSERT OR REPLACE walks through the append-only triggers
    "trusted_schema=OFF",
    "temp_store=MEMORY",
    "journal_size_limit=67108864",
    "wal_autocheckpoint=4000",  # 16 MiB: a checkpoint syncs the file, and whoever writes then waits for it
)
#: One SELECT is one round trip (or hop between threads) less before and after, and still one snapshot.
_READING: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True, "pool_timeout": 2}
#: PostgreSQL says these when it can't work now (or took the transaction back); the same transaction may succeed later.
_TRANSIENT_SQLSTATES = ("08", "25006", "40", "53", "55P03", "57")
_SQLITE_BUSY, _SQLITE_READONLY, _SQLITE_IOERR, _SQLITE_FULL, _SQLITE_CANTOPEN = 5, 8, 10, 13, 14


def lock_log(connection: Connection) -> None:
    """Take the append lock until the transaction ends. On SQLite BEGIN IMMEDIATE has already taken it."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert `rows` into `table`, or overwrite those whose primary key is there. All rows have all columns."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    new = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new), rows)


def commit(transaction: RootTransaction) -> None:
    """Commit, or raise OutcomeUnknownError: once COMMIT was sent, an error does not tell whether it took place.

    Raises StorageFullError where it did not, for want of room.
    """
    try:
        transaction.commit()
    except (SQLAlchemyError, OSError) as error:
        if isinstance(full := translate(error), StorageFullError):
            raise full from error  # a commit that found no room did not take place; SQLite first asks for it here
        raise OutcomeUnknownError from error


def translate(error: Exception) -> Exception:
    """Give UnavailableError for an error that passes by itself, else the error: a statement the database refuses."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = getattr(cause, "sqlstate", None) or ""
    sqlite_code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if sqlstate == "53100" or sqlite_code == _SQLITE_FULL:
        return StorageFullError()
    if (
        (isinstance(error, DBAPIError) and error.connection_invalidated)
        or sqlstate.startswith(_TRANSIENT_SQLSTATES)
        or sqlite_code in (_SQLITE_BUSY, _SQLITE_READONLY, _SQLITE_IOERR, _SQLITE_CANTOPEN)
        or isinstance(error, (OSError, PoolTimeoutError))  # refused, reset, timed out
    ):
        return UnavailableError()
    return error


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
        except DBAPIError as error:
            if not error.connection_invalidated:
                _raise_translated(error)
        try:
            return await self._read(statement, parameters)
        except DBAPIError as error:
            _raise_translated(error)

    async def _read(self, statement: Executable, parameters: Mapping[str, object] | None) -> Sequence[Row[Any]]:
        try:
            connection = await self.reader.connect()
        except Exception as error:
            raise UnavailableError from error
        try:
            return (await connection.execute(statement, parameters)).all()
        finally:
            await connection.close()


class SqliteDatabase(Database):
    """A file, written by one thread of one process."""

    def __init__(self, url: URL) -> None:
        reader = create_async_engine(url, **_READING, pool_size=4, max_overflow=0)
        event.listen(reader.sync_engine, "connect", _sqlite_reader)
        super().__init__(url, reader)
        self._writer = create_engine(
            url.set(drivername="sqlite"), poolclass=NullPool, connect_args={"check_same_thread": False}
        )
        event.listen(self._writer, "connect", _sqlite_writer)
        event.listen(self._writer, "begin", _begin_immediate)
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "itemledger-write")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See Database.write."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, work)

    def _write(self, work: Callable[[Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return work(self._connection)
        except Exception as error:
            if isinstance(translate(error), (OutcomeUnknownError, UnavailableError)):
                self._disconnect()
            _raise_translated(error)

    def _connect(self) -> Connection:
        try:
            Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            return self._writer.connect()
        except Exception as error:
            raise UnavailableError from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def check(self) -> None:
        """See Database.check."""

        def pragmas(connection: Connection) -> tuple[str, int]:
            with connection.begin():
                journal_mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
                return journal_mode, connection.exec_driver_sql("PRAGMA synchronous").scalar_one()

        if (settings := await self.write(pragmas)) != ("wal", 2):
            raise UnsafeDatabaseError("SQLite runs with journal_mode={}, synchronous={}".format(*settings))

    async def dispose(self) -> None:
        """See Database.dispose."""
        await self.reader.dispose()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()


class PostgresDatabase(Database):
    """A server, shared by several processes; the advisory lock orders their appends."""

    def __init__(self, url: URL) -> None:
        settings = {
            "application_name": "itemledger",
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": "5s",
            "lock_timeout": "2s",
            "idle_in_transaction_session_timeout": "10s",
            "default_transaction_isolation": "read committed",
        }
        options: dict[str, Any] = {"timeout": 2, "command_timeout": 5}
        reader = create_async_engine(
            url,
            pool_size=4,
            max_overflow=4,
            **_READING,
            connect_args={**options, "server_settings": {**settings, "default_transaction_read_only": "on"}},
        )
        super().__init__(url, reader)
        self._writer = create_async_engine(
            url, poolclass=NullPool, connect_args={**options, "server_settings": settings}
        )
        self._connection: AsyncConnection | None = None
        self._alone = asyncio.Lock()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See Database.write."""
        async with self._alone:
            try:
                if self._connection is None:
                    self._connection = await self._connect()
                return await self._connection.run_sync(work)
            except Exception as error:
                if isinstance(translate(error), (OutcomeUnknownError, UnavailableError)):
                    await self._disconnect()
                _raise_translated(error)
            except asyncio.CancelledError:
                await self._disconnect()
                raise

    async def _connect(self) -> AsyncConnection:
        try:
            return await self._writer.connect()
        except Exception as error:
            raise UnavailableError from error

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def check(self) -> None:
        """See Database.check."""
        for name, safe in (("synchronous_commit", ("on", "remote_apply")), ("fsync", "on"), ("full_page_writes", "on")):
            value = (await self.read(text(f"SHOW {name}")))[0][0]
            if value not in safe:
                raise UnsafeDatabaseError(f"PostgreSQL runs with {name}={value}")

    async def dispose(self) -> None:
        """See Database.dispose."""
        await self._disconnect()
        await self._writer.dispose()
        await self.reader.dispose()


def open_database(url: str) -> Database:
    """Open the database that `url` names, without connecting yet. Raises UnsupportedDatabaseError."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UnsupportedDatabaseError("what is no URL") from None  # untold, since it may hold a password
    if parsed.drivername == "postgresql+asyncpg":
        return PostgresDatabase(parsed)
    if parsed.drivername == "sqlite+aiosqlite" and parsed.database not in (None, "", ":memory:"):
        return SqliteDatabase(parsed)
    raise UnsupportedDatabaseError(parsed.render_as_string())


def _raise_translated(error: Exception) -> NoReturn:
    translated = translate(error)
    if translated is error:
        raise error
    raise translated from error


def _sqlite_writer(dbapi_connection: Any, _record: object) -> None:
    # The driver must not begin transactions of its own: _begin_immediate does.
    dbapi_connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        dbapi_connection.execute(f"PRAGMA {pragma}").close()


def _sqlite_reader(dbapi_connection: Any, _record: object) -> None:
    cursor = dbapi_connection.cursor()
    for pragma in (*_SQLITE_PRAGMAS[2:], "query_only=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A deferred BEGIN that reads and then writes fails at once with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
