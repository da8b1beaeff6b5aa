"""What a batch costs, counted at the driver: statements on SQLite, and round trips on PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import Any, Self

import asyncpg
import pytest
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import Connection
from sqlalchemy.sql.compiler import Compiled

from commands.errors import ItemNotFoundError
from commands.item import ChangeItem, Command, CreateItem, DeleteItem, RestoreItem
from commands.writer import Writer
from eventstore.database.database import Database
from eventstore.database.postgresql.database import PostgresDatabase
from eventstore.database.sqlite import appender as sqlite_appender
from eventstore.database.sqlite import writes as sqlite_writes
from eventstore.events import Metadata
from eventstore.log.head import note_changed_tables
from tests.eventstore.recording import opened
from tests.support.fold import assert_log_and_projection_agree
from tests.support.writing import metadata, writing

PEN = CreateItem("Pen", Decimal(1))
#: A key whose command is in the log.
KNOWN = "key:known"

#: The commands of each submission of a batch.
Batch = list[tuple[Command, ...]]


class _NotedDriver:
    """A connection of SQLite that notes each statement which it gets."""

    def __init__(self, driver: sqlite3.Connection, sent: list[str]) -> None:
        self._driver = driver
        self._sent = sent

    def cursor(self) -> sqlite3.Cursor:
        sent = self._sent

        class Cursor(sqlite3.Cursor):
            def execute(self, statement: str, *parameters: Any) -> Self:
                sent.append(brief(statement))
                return super().execute(statement, *parameters)

        return self._driver.cursor(Cursor)

    def commit(self) -> None:
        self._sent.append("COMMIT")
        self._driver.commit()

    def rollback(self) -> None:
        self._sent.append("ROLLBACK")
        self._driver.rollback()


def brief(statement: str) -> str:
    """Return a statement's beginning."""
    words = statement.replace(";", " ").split()
    return " ".join(words[: 3 if words[0] in ("INSERT", "DELETE") else 2])


@asynccontextmanager
async def statements(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """Collect the statements that the write connection's driver gets. On PostgreSQL each is a round trip."""
    sent: list[str] = []
    attempt: Any = sqlite_appender._try
    execute, fetch = asyncpg.Connection.execute, PreparedStatement.fetch

    async def noted_execute(driver: Any, text: str, *others: Any) -> Any:
        sent.append(brief(text))
        return await execute(driver, text, *others)

    async def noted_fetch(statement: Any, *arguments: Any) -> Any:
        sent.append(brief(statement.get_query()))
        return await fetch(statement, *arguments)

    with monkeypatch.context() as patch:
        if isinstance(database, PostgresDatabase):
            patch.setattr(asyncpg.Connection, "execute", noted_execute)
            patch.setattr(PreparedStatement, "fetch", noted_fetch)
        else:
            patch.setattr(sqlite_appender, "_try", lambda driver, *others: attempt(_NotedDriver(driver, sent), *others))
        yield sent


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[Writer]:
    """Return a writer that knows the tables; there are 40 items, of which item 5 is deleted."""
    async with writing(database) as writer:
        await asyncio.gather(*(writer.submit(PEN, metadata=metadata()) for _ in range(40)))
        for command in (DeleteItem(5), ChangeItem(1, name="Nib"), DeleteItem(6)):
            await writer.submit(command, metadata=metadata())
        await writer.submit(ChangeItem(7, name="Ink"), metadata=Metadata(KNOWN), keyed=True)
        yield writer


async def submit(writer: Writer, batch: Batch, key: str = "") -> None:
    """Submit a batch, all with one key if there is one."""
    await asyncio.gather(
        *(writer.submit(*c, metadata=Metadata(key) if key else metadata(), keyed=bool(key)) for c in batch)
    )


HEAD, PAST = "SELECT log_head.position,", "SELECT events.position,"
ACTIVITY, ITEMS, VERSIONS = "INSERT INTO activity", "INSERT INTO items", "INSERT INTO item_versions"

#: By name: a batch, what SQLite reads for it, and what it writes after the event and the head. A batch of 1,000 has 16
#: portions of each table's rows.
WRITES: dict[str, tuple[Batch, str, list[str]]] = {
    "a create": ([(PEN,)], HEAD, [ACTIVITY, ITEMS]),
    "32 creates": ([(PEN,)] * 32, HEAD, [ACTIVITY, ITEMS]),
    "a change": ([(ChangeItem(1, name="Pad"),)], PAST, [ACTIVITY, VERSIONS, ITEMS]),
    "a deletion": ([(DeleteItem(2),)], PAST, [ACTIVITY, VERSIONS, "DELETE FROM items"]),
    "a restoration": ([(RestoreItem(5),)], PAST, [ACTIVITY, ITEMS]),
    "all four": (
        [(PEN,), (ChangeItem(3, name="Pad"),), (DeleteItem(4),), (RestoreItem(6),)],
        PAST,
        [ACTIVITY, VERSIONS, ITEMS, "DELETE FROM items"],
    ),
    "a batch of 1,000": ([(PEN,) * 1_000], HEAD, [ACTIVITY, *[ITEMS] * 16]),
}


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_batch_on_sqlite_is_one_read_and_a_statement_a_table(
    database: Database, writer: Writer, name: str, keyed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, read, tables = WRITES[name]
    if keyed and len(batch) > 1:
        batch = [tuple(command for (command,) in batch)]
    async with statements(database, monkeypatch) as sent:
        await submit(writer, batch, "key:new" if keyed else "")
    portions = 16 if "1,000" in name else 1
    tiles = ["INSERT INTO log_tiles"] if "1,000" in name else []
    written = ["UPDATE log_head", *["INSERT INTO events"] * portions, *tiles, *tables]
    assert sent == ["BEGIN IMMEDIATE", PAST if keyed else read, *written, "COMMIT"]
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_batch_on_postgresql_is_one_statement_after_at_most_one_read(
    database: Database, writer: Writer, name: str, keyed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, read, _ = WRITES[name]
    if keyed and len(batch) > 1:
        batch = [tuple(command for (command,) in batch)]
    async with statements(database, monkeypatch) as sent:
        await submit(writer, batch, "key:new" if keyed else "")
    reads = ["SELECT anon_1.position,"] if keyed or read == PAST else []
    assert sent == [*reads, "WITH head"]
    await assert_log_and_projection_agree(database)


async def test_a_replay_reads_the_log_and_writes_nothing(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with statements(database, monkeypatch) as sent:
        recorded = await writer.submit(ChangeItem(7, name="Ink"), metadata=Metadata(KNOWN), keyed=True)
    assert recorded.replayed
    if isinstance(database, PostgresDatabase):
        assert sent == ["SELECT anon_1.position,"] * 2
    else:
        assert sent == ["BEGIN IMMEDIATE", PAST, PAST, "ROLLBACK"]


LOCKED = ["BEGIN LOCK", "SELECT log_head.position,", "WITH head", "COMMIT"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_head_that_another_process_moved_leads_to_the_lock_until_it_is_alone_again(
    database: Database, database_url: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url) as other, writing(other) as another:
        await another.submit(PEN, metadata=metadata())
        async with statements(database, monkeypatch) as sent:
            await writer.submit(PEN, metadata=metadata())
            assert sent == ["WITH head", *LOCKED]  # the first changed nothing
            sent.clear()
            await writer.submit(PEN, metadata=metadata())
            assert sent == LOCKED
            await another.submit(PEN, metadata=metadata())
            sent.clear()
            await writer.submit(PEN, metadata=metadata())  # from here on it is alone
            for _ in range(8):
                await writer.submit(PEN, metadata=metadata())
            assert sent == LOCKED * 9
            sent.clear()
            await writer.submit(PEN, metadata=metadata())
            assert sent == ["WITH head"]
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_table_that_another_process_swapped_is_looked_at_again(
    database: Database, database_url: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url) as other:
        await other.write(_change_tables)
        async with statements(database, monkeypatch) as sent:
            await writer.submit(PEN, metadata=metadata())
        assert sent.count("WITH head") == 2  # the first changed nothing
        assert "SELECT projections.name," in sent

        for _ in range(9):
            await writer.submit(PEN, metadata=metadata())  # alone again: the next is a single statement
        await other.write(_change_tables)
        with pytest.raises(ItemNotFoundError):
            await writer.submit(DeleteItem(999), metadata=metadata())  # commits nothing, but sees the change
        await writer.submit(PEN, metadata=metadata())
    await assert_log_and_projection_agree(database)


def _change_tables(connection: Connection) -> None:
    with connection.begin():
        note_changed_tables(connection)


async def test_no_statement_is_built_or_compiled_while_a_batch_runs(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _nothing_built(monkeypatch):
        for batch, *_ in WRITES.values():
            await submit(writer, batch)
        for size in (1, 2, 7, 31, 33, 64, 65, 1_000):
            await submit(writer, [(PEN,) * size])
        await submit(writer, [(ChangeItem(8, name="Pad"),)], "key:new")
        await submit(writer, [(ChangeItem(8, name="Pad"),)], "key:new")


@contextmanager
def _nothing_built(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail where SQLAlchemy compiles a statement, or a text for SQLite is made."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a statement was compiled")

    misses = sqlite_writes._insert.cache_info().misses
    with monkeypatch.context() as patch:
        patch.setattr(Compiled, "__init__", fail)
        yield
    assert sqlite_writes._insert.cache_info().misses == misses
