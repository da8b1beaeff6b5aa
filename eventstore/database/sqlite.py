"""SQLite: a file, written by one thread of one process. Durable by WAL and `synchronous=FULL`."""

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

from sqlalchemy import URL, Connection, NullPool, create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore.database.database import READING, Database
from eventstore.database.failures import raise_translated, translate
from eventstore.errors import (
    DamagedCopyError,
    LockHeldError,
    OutcomeUnknownError,
    UnavailableError,
    UnsafeDatabaseError,
)

T = TypeVar("T")

#: Seconds to wait for whoever else holds a lock. The writer tries again by itself, and a stop must not wait for long.
_PATIENCE = 2.0

#: How many views there can be at once.
_VIEWS = 2

_PRAGMAS = (
    f"busy_timeout={_PATIENCE * 1000:.0f}",
    "synchronous=FULL",  # NORMAL loses acknowledged commits on power loss
    "foreign_keys=ON",
    "recursive_triggers=ON",  # else INSERT OR REPLACE walks through the append-only triggers
    "trusted_schema=OFF",
    "temp_store=MEMORY",
    "cache_size=-32768",  # 32 MiB a connection
    "journal_size_limit=67108864",
    "wal_autocheckpoint=4000",  # 16 MiB: a checkpoint syncs the file, and whoever writes then waits for it
)


class SqliteDatabase(Database):
    """A file, written by one thread of one process."""

    def __init__(self, url: URL, *, long_running: bool = False, small_cache: bool = False) -> None:
        """See open_database."""
        reader = create_async_engine(url, **READING, pool_size=4, max_overflow=0)
        event.listen(reader.sync_engine, "connect", _sqlite_reader)
        if small_cache:
            event.listen(reader.sync_engine, "connect", _sqlite_lean)
        super().__init__(url, reader)
        self._writer = create_engine(
            url.set(drivername="sqlite"), poolclass=NullPool, connect_args={"check_same_thread": False}
        )
        event.listen(self._writer, "connect", _sqlite_writer)
        if long_running:
            event.listen(self._writer, "connect", _sqlite_patient)
        event.listen(self._writer, "begin", _begin_immediate)
        self._viewer = create_engine(
            url.set(drivername="sqlite"), pool_size=_VIEWS, max_overflow=0, connect_args={"check_same_thread": False}
        )
        event.listen(self._viewer, "connect", _sqlite_viewer)
        event.listen(self._viewer, "begin", _begin_deferred)
        self._view_threads = ThreadPoolExecutor(_VIEWS, "itemledger-view")
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
            raise_translated(error)

    def _connect(self) -> Connection:
        try:
            Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            return self._writer.connect()
        except Exception as error:
            raise UnavailableError from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def read_transaction(self, work: Callable[[Connection], T]) -> T:
        """See Database.view."""
        return await asyncio.get_running_loop().run_in_executor(self._view_threads, self._view, work)

    def _view(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._viewer.connect() as connection:
                return work(connection)
        except Exception as error:
            raise_translated(error)

    async def run_isolated(self, work: Callable[[Connection], T]) -> T:
        """See Database.run_isolated. It runs in a thread of its own, which goes on where the caller is cancelled."""
        return await asyncio.to_thread(self._aside, work)

    def _aside(self, work: Callable[[Connection], T]) -> T:
        engine = create_engine("sqlite://", poolclass=NullPool, creator=self._connect_to_read)
        event.listen(engine, "connect", _sqlite_aside)
        event.listen(engine, "begin", _begin_deferred)
        try:
            with engine.connect() as connection:
                return work(connection)
        except Exception as error:
            raise_translated(error)

    def _connect_to_read(self) -> sqlite3.Connection:
        path = Path(self.url.database or "").absolute()
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)

    async def back_up(self, path: Path) -> None:
        """See Database.back_up.

        All pages are copied in one step, at the speed of the disk: the write-ahead log grows no longer than that. Step
        by step, every write of others would make the copy begin anew. A `VACUUM INTO` takes ten times as long.
        """
        with closing(sqlite3.connect(path, check_same_thread=False)) as copy:
            copying = asyncio.ensure_future(asyncio.to_thread(self._back_up, copy))
            try:
                await asyncio.shield(copying)
            except asyncio.CancelledError:
                copy.interrupt()
                await asyncio.gather(copying, return_exceptions=True)
                raise

    def _back_up(self, copy: sqlite3.Connection) -> None:
        try:
            for pragma in ("synchronous=OFF", "journal_mode=OFF"):  # if it fails there is no copy
                copy.execute(f"PRAGMA {pragma}").close()
            with closing(self._connect_to_read()) as source:
                source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").close()  # all in one file, until somebody serves from it
            (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.Error as error:
            if isinstance(translated := translate(error), UnavailableError):
                raise translated from error
            raise DamagedCopyError(str(error)) from error
        if found != "ok":
            raise DamagedCopyError(found)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """See Database.lock. The lock is on a file beside the database's: the system ends it with the process."""
        with self._lock_file(name) as file:
            for patience in reversed(range(5)):
                if _lock(file):
                    break
                if not patience:
                    raise LockHeldError(name)
                await asyncio.sleep(0.02)  # it may be somebody who only looks
            yield

    async def is_locked(self, name: str) -> bool:
        """See Database.is_locked."""
        with self._lock_file(name) as file:
            return not _lock(file)

    def _lock_file(self, name: str) -> IO[bytes]:
        try:
            return Path(f"{self.url.database}-{name.replace(' ', '-')}.lock").open("ab")
        except OSError as error:
            raise UnavailableError from error

    async def relay_notifications(self, committed: asyncio.Event, heard: Callable[[], None]) -> NoReturn:
        """See Database.relay_notifications. There is nobody to tell: one process serves."""
        while True:
            await asyncio.Event().wait()

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
        await asyncio.get_running_loop().run_in_executor(self._view_threads, self._viewer.dispose)
        self._view_threads.shutdown()


def _sqlite_writer(dbapi_connection: Any, _record: object) -> None:
    # The driver must not begin transactions of its own: _begin_immediate does.
    dbapi_connection.isolation_level = None
    for pragma in _PRAGMAS:
        dbapi_connection.execute(f"PRAGMA {pragma}").close()
    _write_ahead(dbapi_connection)


def _sqlite_patient(dbapi_connection: Any, _record: object) -> None:
    # An index over a long table is sorted on the way: in files, or that would take as much memory as the index has.
    dbapi_connection.execute("PRAGMA temp_store=FILE").close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Put the file in WAL mode. Of two who do so at the same moment SQLite fails one at once, whatever its timeout."""
    deadline = time.monotonic() + _PATIENCE
    while not _switched_to_wal(connection):
        if time.monotonic() > deadline:
            raise UnavailableError
        time.sleep(0.01)


def _switched_to_wal(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("PRAGMA journal_mode=WAL").close()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _sqlite_reader(dbapi_connection: Any, _record: object) -> None:
    cursor = dbapi_connection.cursor()
    for pragma in (*_PRAGMAS, "query_only=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_lean(dbapi_connection: Any, _record: object) -> None:
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA cache_size=-2048")
    cursor.close()


def _sqlite_viewer(dbapi_connection: Any, record: object) -> None:
    dbapi_connection.isolation_level = None
    _sqlite_reader(dbapi_connection, record)


def _sqlite_aside(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None
    # Temporary tables may be as large as any: not in memory, and nobody ever rolls them back and goes on.
    for pragma in (*_PRAGMAS, "temp_store=FILE", "temp.cache_size=-32768", "temp.journal_mode=OFF"):
        dbapi_connection.execute(f"PRAGMA {pragma}").close()


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _begin_immediate(connection: Connection) -> None:
    # A deferred BEGIN that reads and then writes fails at once with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
