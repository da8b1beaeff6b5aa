"""An isolated connection reads one snapshot a transaction, and writes only to temporary tables."""

import asyncio
import threading

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import DBAPIError

from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.errors import UnavailableError
from eventstore.log.head import head_position
from eventstore.log.tables import snapshots
from tests.eventstore.recording import created, execute, opened, record, tables

WRITES = (
    "DELETE FROM items",
    "UPDATE projections SET version = 0",
    "INSERT INTO snapshots VALUES (1, 1, 1, 't', 'd')",
    "CREATE TABLE another (id INTEGER)",
    "DROP TABLE items",
)


@pytest.mark.parametrize("write", WRITES)
async def test_an_isolated_connection_can_write_no_shared_table(database: Database, write: str) -> None:
    await record(database, [created(1)])
    before = await tables(database)

    def work(connection: Connection) -> None:
        table_swap.create_temporary(connection, snapshots, "mine")
        with connection.begin():
            connection.execute(text(write))

    # SQLite reports it as a read-only file, which counts as transient.
    with pytest.raises((UnavailableError, DBAPIError)) as refused:
        await database.run_isolated(work)
    cause = refused.value.__cause__ if isinstance(refused.value, UnavailableError) else refused.value
    assert "read-only" in str(cause) or "readonly" in str(cause)
    assert await tables(database) == before


async def test_a_temporary_table_is_writable_and_private_to_its_connection(database: Database) -> None:
    row = {"item_id": 1, "version": 1, "position": 1, "type": "t", "data": "d"}

    def work(connection: Connection) -> int:
        mine = table_swap.create_temporary(connection, snapshots, "mine")
        with connection.begin():
            connection.execute(insert(mine).values(row))
        with connection.begin():
            return len(connection.execute(select(mine)).all())

    for _ in range(2):  # the second finds no table of the first
        assert await database.run_isolated(work) == 1
    with pytest.raises(DBAPIError):
        await database.read_transaction(lambda connection: connection.execute(text("SELECT * FROM mine")))


async def test_an_isolated_transaction_reads_one_snapshot(database_url: str, database: Database) -> None:
    await record(database, [created(1)])

    async def append() -> None:
        async with opened(database_url) as other:
            await record(other, [created(2)])

    def work(connection: Connection) -> list[int]:
        with connection.begin():
            before = head_position(connection)
            thread = threading.Thread(target=lambda: asyncio.run(append()))
            thread.start()
            thread.join()
            during = head_position(connection)
        with connection.begin():
            return [before, during, head_position(connection)]

    assert await database.run_isolated(work) == [1, 1, 2]


async def test_a_missing_database_is_unavailable(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        with pytest.raises(UnavailableError):
            await database.run_isolated(lambda connection: connection.begin())


async def test_on_sqlite_temporary_tables_are_in_a_file(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        await execute(database, "CREATE TABLE one (id INTEGER)")
        stores = await database.run_isolated(
            lambda connection: connection.exec_driver_sql("PRAGMA temp_store").scalar_one()
        )
        assert stores == 1
