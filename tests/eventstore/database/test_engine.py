"""Opening databases: supported ones, their settings, and settings that are too unsafe to use."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.errors import UnsafeDatabaseError, UnsupportedDatabaseError
from tests.eventstore.recording import opened
from tests.support.postgres import PostgresServer

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:///file::memory:?uri=true",
        "sqlite+aiosqlite:///file::memory:",
        "sqlite:///file.db",
        "sqlite+pysqlite:///file.db",
        "postgresql://me:secret@localhost/log",
        "postgresql+psycopg://me:secret@localhost/log",
        "mysql+aiomysql://me:secret@localhost/log",
    ],
)
def test_an_unsupported_url_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(UnsupportedDatabaseError) as raised:
        open_database(url)
    assert "sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/DATABASE" in str(raised.value)
    assert "secret" not in str(raised.value)


async def settings_of(database: Database, questions: list[str]) -> tuple[list[Any], list[Any]]:
    """Return the settings of the write and of the read connection."""

    def work(connection: Connection) -> list[Any]:
        with connection.begin():
            return [connection.exec_driver_sql(question).scalar_one() for question in questions]

    written = await database.write(work)
    return written, [(await database.read(text(question)))[0][0] for question in questions]


@on_sqlite
async def test_every_sqlite_connection_is_durable_and_strict_and_waits_for_locks(database: Database) -> None:
    wished = {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 2000,
        "trusted_schema": 0,
        "temp_store": 2,
    }
    written, read = await settings_of(database, [f"PRAGMA {name}" for name in [*wished, "synchronous", "query_only"]])
    assert written == [*wished.values(), 2, 0]
    assert read[: len(wished)] == list(wished.values())
    assert read[-1] == 1


@on_postgresql
async def test_every_postgresql_connection_has_timeouts(database: Database) -> None:
    wished = {
        "statement_timeout": "5s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "transaction_isolation": "read committed",
        "timezone": "UTC",
        "application_name": "itemledger",
    }
    written, read = await settings_of(database, [f"SHOW {name}" for name in [*wished, "transaction_read_only"]])
    assert written == [*wished.values(), "off"]
    assert read == [*wished.values(), "on"]


async def test_a_database_with_default_settings_is_safe(database: Database) -> None:
    await database.check()


@pytest.mark.parametrize(
    ("pragma", "told"),
    [
        ("synchronous=NORMAL", "journal_mode=wal, synchronous=1"),
        ("synchronous=OFF", "journal_mode=wal, synchronous=0"),
        ("journal_mode=DELETE", "journal_mode=delete, synchronous=2"),
    ],
)
@on_sqlite
async def test_an_sqlite_that_would_lose_commits_is_refused(database_url: str, pragma: str, told: str) -> None:
    async with opened(database_url) as database:

        def loosen(connection: Connection) -> None:
            # Bypass SQLAlchemy, which would begin a transaction: neither can be set within one.
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA {pragma}").close()

        await database.write(loosen)
        with pytest.raises(UnsafeDatabaseError) as raised:
            await database.check()
        assert told in str(raised.value)


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
@pytest.mark.parametrize("where", ["DATABASE {name}", "ROLE postgres IN DATABASE {name}"])
async def test_a_postgresql_that_answers_before_it_is_durable_is_refused(
    postgres_server: PostgresServer, postgres_url: str, where: str, value: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    postgres_server.execute(f"ALTER {where.format(name=name)} SET synchronous_commit = {value}")
    async with opened(postgres_url) as database:
        with pytest.raises(UnsafeDatabaseError) as raised:
            await database.check()
        assert f"synchronous_commit={value}" in str(raised.value)


@pytest.mark.parametrize("value", ["on", "remote_apply"])
async def test_a_postgresql_that_waits_for_its_disk_is_accepted(
    postgres_server: PostgresServer, postgres_url: str, value: str
) -> None:
    postgres_server.execute(f"ALTER DATABASE {postgres_url.rpartition('/')[2]} SET synchronous_commit = {value}")
    async with opened(postgres_url) as database:
        await database.check()


@pytest.fixture(scope="module")
def careless_server() -> Iterator[PostgresServer]:
    """Return a server for these tests alone, since their settings affect all its databases."""
    with PostgresServer() as server:
        yield server


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
async def test_a_postgresql_that_a_power_cut_would_corrupt_is_refused(
    careless_server: PostgresServer, name: str
) -> None:
    url = careless_server.create_database()
    careless_server.execute(f"ALTER SYSTEM SET {name} = off")
    careless_server.restart()
    async with opened(url) as database:
        with pytest.raises(UnsafeDatabaseError, match=f"{name}=off"):
            await database.check()
    careless_server.execute(f"ALTER SYSTEM RESET {name}")
    careless_server.restart()


@pytest.mark.parametrize(("patient", "store"), [(True, 1), (False, 2)])
async def test_long_running_connections_sort_in_files(sqlite_url: str, patient: bool, store: int) -> None:
    """Otherwise a rebuild would hold each whole index in memory while creating it."""
    database = open_database(sqlite_url, long_running=patient)
    assert await settings_of(database, ["PRAGMA temp_store"]) == ([store], [2])
    await database.dispose()
