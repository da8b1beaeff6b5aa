"""Reads, decides and commits on PostgreSQL: in one statement while no other process appends, else under the lock.

The lock order is the same everywhere, so that nobody waits for each other: the tables of projections, then the head's
row. A statement takes its table locks before it waits for a row.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from eventstore.database.failures import commit_outcome
from eventstore.database.postgresql.writes import statement
from eventstore.database.prepared import Prepared
from eventstore.database.session import writing_lock
from eventstore.errors import NewerTableError, UnavailableError
from eventstore.log import past as reading
from eventstore.log.head import Head, of_row
from eventstore.log.past import Needs, Past
from eventstore.log.write_set import Decide, Projector, WriteSet

T = TypeVar("T")
_Decide = Callable[[Past], Awaitable[tuple[WriteSet | None, T]]]

#: PostgreSQL reports these for a statement that names what does not exist.
_WRONG_NAME_SQLSTATES = ("42703", "42P01")
#: After this many commits in turn under the lock without another process's append, go back to the single statement.
_ALONE_COMMITS = 8


class PostgresAppender:
    """Appends over one connection."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self._connection = connection
        self._driver = driver
        self._prepared: dict[str, Any] = {}
        #: The head after this connection's last commit, None before it. Only a guarded statement may rely on it.
        self._head: Head | None = None
        #: Commits under the lock that are left until the next single statement.
        self._locked_commits = 0

    @classmethod
    async def open(cls, connection: AsyncConnection) -> "PostgresAppender":
        """Append over `connection`, which has no transaction while `append` runs."""
        return cls(connection, (await connection.get_raw_connection()).driver_connection)

    async def append(self, needs: Needs, decide: Decide[T], projector: Projector, *, locked: bool, bulk: bool) -> T:
        """See Database.append."""
        if self._driver.is_closed():
            raise UnavailableError

        async def decided(past: Past) -> tuple[WriteSet | None, T]:
            # A thousand decisions at once would keep every other request waiting.
            return await asyncio.to_thread(decide, past) if bulk else decide(past)

        while True:
            attempt = self._append_locked if locked or self._locked_commits else self._append_guarded
            try:
                appended = await attempt(needs, decided, projector)
            except NewerTableError:
                self._head = None  # else nobody would see when the tables change again
                raise
            except Exception as error:
                # The statement names a table or a column that another process has just replaced.
                wrong_name = str(getattr(error, "sqlstate", None)).startswith(_WRONG_NAME_SQLSTATES)
                if not wrong_name or await self._knows_tables(Past(await self._read_head()), projector):
                    raise
                continue
            if appended is not None:
                return appended[0]

    async def _append_guarded(self, needs: Needs, decide: _Decide[T], projector: Projector) -> tuple[T] | None:
        """Append in one statement; return None, with nothing done, where it must be decided again."""
        past = await self._read(needs) if needs or self._head is None else Past(self._head)
        if not await self._knows_tables(past, projector):
            return None
        write_set, result = await decide(past)
        if write_set is None:
            return (result,)
        with commit_outcome():
            committed = await self._run(write_set)
        if not committed:
            # Other processes append: do not decide in vain again.
            self._head, self._locked_commits = None, _ALONE_COMMITS
            return None
        self._head = write_set.head
        return (result,)

    async def _append_locked(self, needs: Needs, decide: _Decide[T], projector: Projector) -> tuple[T] | None:
        """Append under the lock; return None, with nothing done, where `projector` did not know the current tables."""
        try:
            await self._driver.execute(f"BEGIN; {writing_lock(projector.tables)}")
            past = Past(await self._lock_head())
            if needs:
                past = await self._read(needs)
            if past.head.tables_revision != projector.revision:
                await self._driver.execute("ROLLBACK")
                await self._knows_tables(past, projector)
                return None
            write_set, result = await decide(past)
            if write_set is None:
                await self._driver.execute("ROLLBACK")
                return (result,)
            await self._run(write_set)
        except Exception:
            if not self._driver.is_closed():
                await self._driver.execute("ROLLBACK")
            raise
        await self._commit()
        self._locked_commits = self._locked_commits - 1 if past.head == self._head else _ALONE_COMMITS
        self._head = write_set.head
        return (result,)

    async def _lock_head(self) -> Head:
        return await self._read_head(locked=True)

    async def _read_head(self, *, locked: bool = False) -> Head:
        (row,) = await self._fetch(reading.head_statement("postgresql", locked=locked), {})
        return of_row(*row)

    async def _commit(self) -> None:
        with commit_outcome():
            await self._driver.execute("COMMIT")

    async def _knows_tables(self, past: Past, projector: Projector) -> bool:
        """Return whether `projector` knows the current tables. If not, it finds out now."""
        if past.head.tables_revision == projector.revision:
            return True
        self._head = None  # its revision may be the old one
        await self._connection.run_sync(projector.refresh)
        return False

    async def _run(self, write_set: WriteSet) -> bool:
        text, arguments = statement(write_set)
        return bool(await (await self._prepare(text)).fetch(*arguments))

    async def _prepare(self, text: str) -> Any:
        if text not in self._prepared:
            self._prepared[text] = await self._driver.prepare(text)
        return self._prepared[text]

    async def _read(self, needs: Needs) -> Past:
        past = reading.of_rows(
            await self._fetch(reading.past_statement("postgresql"), reading.parameters("postgresql", needs))
        )
        results = {
            event.position: reading.stream_of(
                await self._fetch(
                    reading.result_statement("postgresql"), reading.result_parameters("postgresql", event)
                )
            )
            for event in past.missing()
        }
        return replace(past, results=results) if results else past

    async def _fetch(self, query: Prepared, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        prepared = await self._prepare(query.text)
        return [tuple(row) for row in await prepared.fetch(*query.arguments(parameters))]
