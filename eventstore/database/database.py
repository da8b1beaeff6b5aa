"""A log's database of either kind: one write connection, and read connections that can't write.

Work between BEGIN and COMMIT is ordinary synchronous SQLAlchemy Core over a `Connection`. `Database.write` runs it as
the driver needs: on PostgreSQL in a greenlet over asyncpg, on SQLite in the one thread that owns the write connection.
There a batch of statements costs one hop between threads; aiosqlite, which serves the reads, needs four a statement.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlalchemy import URL, Connection, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventstore.database.failures import is_stale, translated
from eventstore.database.lookups import LookupConnection, Lookups, Rows
from eventstore.database.prepared import Prepared
from eventstore.database.turns import Turns, reading_for
from eventstore.errors import UnavailableError
from eventstore.log.past import Needs
from eventstore.log.write_set import Decide, Projector

T = TypeVar("T")

#: Options of engines for single SELECTs. Without BEGIN and COMMIT each saves a round trip (or thread hop) before and
#: after, and still reads one snapshot.
READING: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True, "pool_timeout": 2}


class Database(ABC):
    """One log's database. Methods raise UnavailableError while the database can't work."""

    def __init__(self, url: URL, reader: AsyncEngine, readers: int) -> None:
        self.url = url
        self._turns = Turns(readers)  # at the connections of `reader`, of which there are that many
        self.reader = reader
        self._lookups = Lookups(self._open_lookup)

    @abstractmethod
    async def _open_lookup(self) -> LookupConnection:
        """Open a connection for look-ups."""

    @abstractmethod
    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` alone on the write connection and return its result. `work` begins and commits transactions.

        Raises OutcomeUnknownError from a failed commit, and other exceptions of `work` unchanged.
        """

    @abstractmethod
    async def append(
        self, needs: Needs, decide: Decide[T], projector: Projector, *, locked: bool = False, bulk: bool = False
    ) -> T:
        """Read what `needs` names, let `decide` make a write set of it, and commit that; return its other result.

        `decide` is pure, and is called again where the log grew meanwhile. A write set of None writes nothing. With
        `locked`, it is read under the append lock: an earlier append whose outcome is unknown has committed before, or
        never will. `bulk` says that `decide` takes long. Raises OutcomeUnknownError, and UnavailableError and the other
        errors where nothing was committed.
        """

    @abstractmethod
    async def read_transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that can't write, with one snapshot for all its reads, and return its result."""

    @abstractmethod
    async def run_isolated(self, work: Callable[[Connection], T]) -> T:
        """Run long `work` on a connection of its own and return its result. Nothing else waits for it.

        `work` begins and ends transactions, each with one snapshot. It can write only to temporary tables; see
        `table_swap.create_temporary`.
        """

    @abstractmethod
    async def back_up(self, path: Path) -> None:
        """Copy the whole database, as of one moment, to a new file while writes continue, and check the copy.

        Does not sync the file to disk. Raises NoBackupError where the database has its own tools, DamagedCopyError.
        """

    @abstractmethod
    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold the lock called `name`, exclusive among all processes, until the block or the process ends.

        Raises LockHeldError where another process holds it.
        """

    @abstractmethod
    async def is_locked(self, name: str) -> bool:
        """Return whether a process holds the lock called `name`."""

    @abstractmethod
    async def relay_notifications(self, committed: asyncio.Event, heard: Callable[[], None]) -> NoReturn:
        """Notify other processes when `committed` is set, and call `heard` on their notifications, until cancelled.

        A notification is only a wake-up and may be lost. After UnavailableError the method can be called again.
        """

    def check_files(self) -> None:  # noqa: B027  (most databases have none to check)
        """Raise MovedFileError if a file of the database was moved, removed or replaced since it was opened."""

    @abstractmethod
    async def check_writable(self) -> None:
        """Raise UnavailableError where a write would fail now. Changes nothing."""

    async def server_time(self) -> int | None:
        """Return the database server's time in microseconds since the epoch, None where it has no clock of its own."""
        return None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Be a process that serves the database, until the block ends. Call it before anything is written.

        Raises AlreadyServedError where the database can have one such process, and has it.
        """
        yield

    @abstractmethod
    async def check(self) -> None:
        """Raise UnsafeDatabaseError where the database's settings would lose acknowledged writes.

        Raises UnsupportedEncodingError where it cannot store every text.
        """

    def stop_within(self, seconds: float) -> None:  # noqa: B027  (a file does not hang for long)
        """From now on close connections without the server's answer, and end all that are open after `seconds`.

        What waits for the database then fails with UnavailableError: a stop does not wait for a server that hangs.
        """

    @abstractmethod
    async def dispose(self) -> None:
        """Close every connection."""

    async def read(self, statement: Executable, parameters: Mapping[str, object] | None = None) -> Sequence[Row[Any]]:
        """Run one SELECT, which reads one snapshot, on the read-only engine and return its rows.

        Reads are repeatable: runs again once where the connection was lost while idle, or where a table changed after
        the statement was prepared.
        """
        with translated():
            try:
                return await self._read(statement, parameters)
            except (DBAPIError, OSError) as error:
                if not (is_stale(error) or getattr(error, "connection_invalidated", False)):
                    raise
            return await self._read(statement, parameters)

    def read_for(self, client: str) -> None:
        """Read for a client from now on in this task: the reads of each take turns with those of the others."""
        reading_for.set(client)
        self._turns.see(client)

    async def look_up(self, statement: Prepared, parameters: Mapping[str, object]) -> Rows:
        """Run one SELECT, which reads one snapshot, and return its rows as the driver does: a boolean may be 0 or 1.

        It is for the most frequent reads: `read` costs several times as much.
        """
        with translated():
            return await self._lookups.fetch(statement.text, statement.arguments(parameters))

    async def _read(self, statement: Executable, parameters: Mapping[str, object] | None) -> Sequence[Row[Any]]:
        async with self._turns.held() as turn:
            connection = await self._connect_reader()
            try:
                rows = (await connection.execute(statement, parameters)).all()
                turn.rows = len(rows)
                return rows
            finally:
                await connection.close()

    async def _connect_reader(self) -> AsyncConnection:
        try:
            return await self.reader.connect()
        except PoolTimeoutError:
            raise
        except Exception as error:
            raise UnavailableError from error
