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

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore.database.database import READING, Database
from eventstore.database.failures import DISCONNECTING, translate, translated
from eventstore.database.lookups import SqliteLookup
from eventstore.database.sqlite.appender import append
from eventstore.errors import DamagedCopyError, LockHeldError, UnavailableError, UnsafeDatabaseError
from eventstore.log.past import Needs
from eventstore.log.write_set import Decide, Projector

T = TypeVar("T")

#: The longest wait for a lock that another connection holds. The writer retries, and a stop must not wait for long.
_LOCK_TIMEOUT_SECONDS = 2.0
#: Tries of `lock`, and the pause between them: `is_locked` of another process holds the lock for a moment.
_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 5, 0.02

#: The most read transactions at once.
_MAX_VIEWS = 2

_PRAGMAS = (
    f"busy_timeout={_LOCK_TIMEOUT_SECONDS * 1000:.0f}",
    "synchronous=FULL",  # NORMAL loses acknowledged commits on power loss
    "foreign_keys=ON",
    "recursive_triggers=ON",  # otherwise INSERT OR REPLACE bypasses the append-only triggers
    "trusted_schema=OFF",
    "temp_store=MEMORY",
    "cache_size=-8192",  # 8 MiB a connection; there are six that read, and the operating system caches the file too
    "journal_size_limit=67108864",  # 64 MiB
    "wal_autocheckpoint=4000",  # 16 MiB: a WAL checkpoint syncs the file, and the writer waits for that
)
#: For synchronous engines, used by threads of a pool: transactions begin as `_configure` is told, not by the driver.
_DRIVER_OPTIONS = {"check_same_thread": False, "isolation_level": None, "cached_statements": 512}


class SqliteDatabase(Database):
    """A file, written by one thread of one process."""

    def __init__(self, url: URL, *, long_running: bool = False, small_cache: bool = False) -> None:
        super().__init__(url, create_async_engine(url, **READING, pool_size=4, max_overflow=0))
        _configure(self.reader.sync_engine, "query_only=ON", *(["cache_size=-2048"] if small_cache else []))
        file = url.set(drivername="sqlite")
        self._writer = create_engine(file, poolclass=NullPool, connect_args=_DRIVER_OPTIONS)
        # An index over a long table is sorted in files: in memory the sort would need as much as the index.
        # A deferred BEGIN that reads and then writes fails at once with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
        temporary = ["temp_store=FILE"] if long_running else []
        _configure(self._writer, "cache_size=-32768", *temporary, begin="BEGIN IMMEDIATE")
        event.listen(self._writer, "connect", _switch_to_wal)
        self._viewer = create_engine(file, pool_size=_MAX_VIEWS, max_overflow=0, connect_args=_DRIVER_OPTIONS)
        _configure(self._viewer, "query_only=ON", begin="BEGIN")
        self._view_threads = ThreadPoolExecutor(_MAX_VIEWS, "itemledger-view")
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "itemledger-write")

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, work)

    async def append(
        self, needs: Needs, decide: Decide[T], projector: Projector, *, locked: bool = False, bulk: bool = False
    ) -> T:
        return await self.write(lambda connection: append(connection, needs, decide, projector))

    def _write(self, work: Callable[[Connection], T]) -> T:
        try:
            with translated():
                if self._connection is None:
                    self._connection = self._connect()
                return work(self._connection)
        except DISCONNECTING:
            self._disconnect()
            raise

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

    async def _open_lookup(self) -> SqliteLookup:
        return SqliteLookup(self._connect_for_lookups)

    def _connect_for_lookups(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.url.database or "", check_same_thread=False, isolation_level=None)
        _set_pragmas(connection, "query_only=ON", "cache_size=-4096")
        return connection

    async def read_transaction(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._view_threads, _run, self._viewer, work)

    async def run_isolated(self, work: Callable[[Connection], T]) -> T:
        """See Database.run_isolated. It runs in a thread of its own, which continues if the caller is cancelled."""
        engine = create_engine("sqlite://", poolclass=NullPool, creator=self._connect_read_only)
        # Temporary tables may be large: in files rather than in memory, and without a journal, since no transaction
        # goes on after a rollback.
        _configure(engine, "temp_store=FILE", "temp.cache_size=-32768", "temp.journal_mode=OFF", begin="BEGIN")
        return await asyncio.to_thread(_run, engine, work)

    def _connect_read_only(self) -> sqlite3.Connection:
        path = Path(self.url.database or "").absolute()
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)

    async def back_up(self, path: Path) -> None:
        """See Database.back_up.

        Copies all pages in one step, at the speed of the disk, so the WAL grows no longer than that. In several steps,
        every write would restart the copy. `VACUUM INTO` takes ten times as long.
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
            for pragma in ("synchronous=OFF", "journal_mode=OFF"):  # a failed copy is discarded
                copy.execute(f"PRAGMA {pragma}").close()
            with closing(self._connect_read_only()) as source:
                source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").close()  # one file, until a process serves from it
            (result,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.Error as error:
            if isinstance(translation := translate(error), UnavailableError):
                raise translation from error
            raise DamagedCopyError(str(error)) from error
        if result != "ok":
            raise DamagedCopyError(result)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """See Database.lock. The lock is on a file next to the database's: the system releases it with the process."""
        with self._lock_file(name) as file:
            for tries_left in reversed(range(_LOCK_TRIES)):
                if _lock(file):
                    break
                if not tries_left:
                    raise LockHeldError(name)
                await asyncio.sleep(_LOCK_PAUSE_SECONDS)
            yield

    async def is_locked(self, name: str) -> bool:
        with self._lock_file(name) as file:
            return not _lock(file)

    def _lock_file(self, name: str) -> IO[bytes]:
        try:
            return Path(f"{self.url.database}-{name.replace(' ', '-')}.lock").open("ab")
        except OSError as error:
            raise UnavailableError from error

    async def relay_notifications(self, committed: asyncio.Event, heard: Callable[[], None]) -> NoReturn:
        """See Database.relay_notifications. One process serves a file, so nothing is sent."""
        while True:
            await asyncio.Event().wait()

    async def check(self) -> None:
        def pragmas(connection: Connection) -> tuple[str, int]:
            with connection.begin():
                journal_mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
                return journal_mode, connection.exec_driver_sql("PRAGMA synchronous").scalar_one()

        if (settings := await self.write(pragmas)) != ("wal", 2):
            raise UnsafeDatabaseError("SQLite runs with journal_mode={}, synchronous={}".format(*settings))

    async def dispose(self) -> None:
        await self._lookups.close()
        await self.reader.dispose()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()
        await asyncio.get_running_loop().run_in_executor(self._view_threads, self._viewer.dispose)
        self._view_threads.shutdown()


def _configure(engine: Engine, *pragmas: str, begin: str = "") -> None:
    """Run `_PRAGMAS` and `pragmas` on every new connection, and the statement `begin` where a transaction begins."""

    def connect(dbapi_connection: Any, _record: object) -> None:
        _set_pragmas(dbapi_connection, *pragmas)

    event.listen(engine, "connect", connect)
    if begin:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))


def _set_pragmas(connection: Any, *pragmas: str) -> None:
    """Run `_PRAGMAS` and `pragmas` on a connection of sqlite3, or on what SQLAlchemy has made of one of aiosqlite."""
    cursor = connection.cursor()
    for pragma in (*_PRAGMAS, *pragmas):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _run(engine: Engine, work: Callable[[Connection], T]) -> T:
    with translated(), engine.connect() as connection:
        return work(connection)


def _switch_to_wal(connection: sqlite3.Connection, _record: object) -> None:
    # If two connections switch at once, SQLite fails one immediately despite busy_timeout, so retry.
    deadline = time.monotonic() + _LOCK_TIMEOUT_SECONDS
    while True:
        try:
            return connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > deadline:
                raise UnavailableError from error
        time.sleep(0.01)


def _lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
