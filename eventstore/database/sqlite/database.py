"""SQLite: a file, written by one thread of one process. Durable by WAL and `synchronous=FULL`."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import NoReturn, TypeVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore.database.database import READING, Database
from eventstore.database.failures import DISCONNECTING, translate, translated
from eventstore.database.lookups import SqliteLookup
from eventstore.database.sqlite import checkpoints
from eventstore.database.sqlite.appender import append
from eventstore.database.sqlite.connections import DRIVER_OPTIONS, configure, set_pragmas, switch_to_wal
from eventstore.database.sqlite.files import DatabaseFiles, try_lock
from eventstore.database.turns import Turns
from eventstore.errors import (
    AlreadyServedError,
    DamagedCopyError,
    EventStoreError,
    LinkedFileError,
    LockHeldError,
    MovedFileError,
    OutcomeUnknownError,
    UnavailableError,
    UnsafeDatabaseError,
)
from eventstore.log.past import Needs
from eventstore.log.write_set import Decide, Projector

T = TypeVar("T")

log = logging.getLogger("itemledger.database")

#: Tries of `lock`, and the pause between them: `is_locked` of another process holds the lock for a moment.
_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 5, 0.02
#: Tries for the lock of the process that serves: a command may hold it for a WAL checkpoint.
_SERVING_TRIES = 100

#: The most read transactions at once.
_MAX_VIEWS = 2
#: The most other reads at once.
_MAX_READERS = 4


class SqliteDatabase(Database):
    """A file, written by one thread of one process."""

    def __init__(self, url: URL, *, long_running: bool = False, small_cache: bool = False) -> None:
        self._files = DatabaseFiles(url.database or "")
        # Only `_create_file` creates it: SQLite would let others read it. A missing one must not be read as empty.
        existing = url.set(database=self._files.uri("rw")).update_query_dict({"uri": "true"})
        super().__init__(
            url, create_async_engine(existing, **READING, pool_size=_MAX_READERS, max_overflow=0), _MAX_READERS
        )
        configure(self.reader.sync_engine, "query_only=ON", *(["cache_size=-2048"] if small_cache else []))
        file = existing.set(drivername="sqlite")
        self._writer = create_engine(file, poolclass=NullPool, connect_args=DRIVER_OPTIONS)
        # An index over a long table is sorted in files: in memory the sort would need as much as the index.
        # A deferred BEGIN that reads and then writes fails at once with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
        temporary = ["temp_store=FILE"] if long_running else []
        configure(self._writer, "cache_size=-32768", *temporary, begin="BEGIN IMMEDIATE")
        event.listen(self._writer, "connect", switch_to_wal)
        event.listen(self._writer, "connect", self._set_checkpoints)
        self._viewer = create_engine(file, pool_size=_MAX_VIEWS, max_overflow=0, connect_args=DRIVER_OPTIONS)
        configure(self._viewer, "query_only=ON", begin="BEGIN")
        for reading in (self.reader.sync_engine, self._viewer):
            event.listen(reading, "connect", lambda _connection, _record: self._files.check())
        self._view_turns = Turns(_MAX_VIEWS)
        self._view_threads = ThreadPoolExecutor(_MAX_VIEWS, "itemledger-view")
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "itemledger-write")
        self._serving = False
        self._command_checkpoints = checkpoints.CommandCheckpoints(self._files)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, work)

    async def append(
        self, needs: Needs, decide: Decide[T], projector: Projector, *, locked: bool = False, bulk: bool = False
    ) -> T:
        return await self.write(lambda connection: append(connection, needs, decide, projector))

    def _write(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, and prove that what it has committed is in the files that a restart would open."""
        self._check_files()
        try:
            with translated():
                if self._connection is None:
                    self._connection = self._connect()
                result = work(self._connection)
        except DISCONNECTING:
            self._disconnect()
            raise
        try:
            self._check_files()
        except MovedFileError as error:
            raise OutcomeUnknownError from error
        if not self._serving:
            self._command_checkpoints.after_write(self._connection)
        return result

    def _check_files(self) -> None:
        """Raise MovedFileError where the files were moved; see DatabaseFiles.check.

        Then write to the file itself what only its WAL has: the WAL may be gone, or be left beside another file.
        """
        try:
            self._files.check()
        except MovedFileError:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    checkpoints.checkpoint(self._connection, "TRUNCATE")
            raise

    def check_files(self) -> None:
        self._files.check()

    async def check_writable(self) -> None:
        def write(connection: Connection) -> None:
            # It changes no table, and is as durable as a commit of the log.
            with connection.begin():
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                connection.exec_driver_sql(f"PRAGMA user_version={version:d}")

        await self.write(write)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """See Database.serving. From then on the write connection makes the WAL checkpoints."""
        self._create_file()
        try:
            async with self._locked(checkpoints.SERVING, _SERVING_TRIES):
                self._serving = True
                checkpointing = asyncio.create_task(self._checkpoint_while_idle(), name="wal-checkpoints")
                try:
                    yield
                finally:
                    self._serving = False
                    checkpointing.cancel()
                    await asyncio.gather(checkpointing, return_exceptions=True)
        except LockHeldError as error:
            if error.name != checkpoints.SERVING:
                raise
            raise AlreadyServedError(str(self._files.path)) from None

    def _set_checkpoints(self, connection: sqlite3.Connection, _record: object) -> None:
        if self._serving:
            connection.execute(checkpoints.WHILE_SERVING).close()

    async def _checkpoint_while_idle(self) -> NoReturn:
        """Make WAL checkpoints of what commands write. SQLite itself makes one only after a commit of this process."""
        checked_bytes = 0
        while True:
            await asyncio.sleep(checkpoints.IDLE_SECONDS)
            size = checkpoints.wal_bytes(self._files)
            if size > max(checkpoints.IDLE_BYTES, checked_bytes):
                with suppress(EventStoreError, SQLAlchemyError, sqlite3.Error):
                    await self.write(lambda connection: checkpoints.checkpoint(connection, "FULL"))
            checked_bytes = size

    def _connect(self) -> Connection:
        try:
            self._create_file()
            connection = self._writer.connect()
            self._files.note_opened()
        except LinkedFileError:
            raise
        except Exception as error:
            translation = translate(error)
            raise (translation if isinstance(translation, UnavailableError) else UnavailableError()) from error
        return connection

    def _create_file(self) -> None:
        try:
            self._files.create()
        except OSError as error:
            raise UnavailableError from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._files.note_closed()
            connection.close()

    async def _open_lookup(self) -> SqliteLookup:
        return SqliteLookup(self._connect_for_lookups)

    def _connect_for_lookups(self) -> sqlite3.Connection:
        self._files.check()
        connection = sqlite3.connect(self._files.uri("rw"), uri=True, check_same_thread=False, isolation_level=None)
        set_pragmas(connection, "query_only=ON", "cache_size=-4096")
        return connection

    async def read_transaction(self, work: Callable[[Connection], T]) -> T:
        async with self._view_turns.held():
            return await asyncio.get_running_loop().run_in_executor(self._view_threads, _run, self._viewer, work)

    async def run_isolated(self, work: Callable[[Connection], T]) -> T:
        """See Database.run_isolated. It runs in a thread of its own, which continues if the caller is cancelled."""
        engine = create_engine("sqlite://", poolclass=NullPool, creator=self._connect_read_only)
        # Temporary tables may be large: in files rather than in memory, and without a journal, since no transaction
        # goes on after a rollback.
        configure(engine, "temp_store=FILE", "temp.cache_size=-32768", "temp.journal_mode=OFF", begin="BEGIN")
        return await asyncio.to_thread(_run, engine, work)

    def _connect_read_only(self) -> sqlite3.Connection:
        self._files.check()
        return sqlite3.connect(self._files.uri("ro"), uri=True, isolation_level=None)

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
        async with self._locked(name, _LOCK_TRIES):
            yield

    @asynccontextmanager
    async def _locked(self, name: str, tries: int) -> AsyncIterator[None]:
        with self._files.open_lock(name) as file:
            for tries_left in reversed(range(tries)):
                if try_lock(file):
                    break
                if not tries_left:
                    raise LockHeldError(name)
                await asyncio.sleep(_LOCK_PAUSE_SECONDS)
            yield

    async def is_locked(self, name: str) -> bool:
        with self._files.open_lock(name) as file:
            return not try_lock(file)

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
        if (names := self._files.names) > 1:
            # SQLite names the WAL after the file: by another name the database would have another WAL.
            raise UnsafeDatabaseError(f"the file has {names} names (hard links); delete all but one")

    async def dispose(self) -> None:
        await self._lookups.close()
        await self.reader.dispose()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()
        await asyncio.get_running_loop().run_in_executor(self._view_threads, self._viewer.dispose)
        self._view_threads.shutdown()


def _run(engine: Engine, work: Callable[[Connection], T]) -> T:
    with translated(), engine.connect() as connection:
        return work(connection)
