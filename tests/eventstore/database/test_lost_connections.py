"""Connections and transactions that the database ends: the error, and that the next unit of work succeeds."""

import asyncio
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, make_url, text

from eventstore.database.database import Database
from eventstore.errors import OutcomeUnknownError, UnavailableError
from eventstore.log.unit_of_work import unit_of_work
from tests.eventstore.recording import Unprojected, assert_still_works, created, execute, history, opened, record_in
from tests.support.postgres import PostgresServer

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def lost_in_transaction(connection: Connection) -> None:
    with unit_of_work(connection, Unprojected()) as unit:
        record_in(unit, [created(1)])
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


def slow_statement(connection: Connection) -> None:
    with unit_of_work(connection, Unprojected()) as unit:
        record_in(unit, [created(1)])
        connection.execute(text("SET LOCAL statement_timeout = '20ms'"))
        connection.execute(text("SELECT pg_sleep(5)"))


def idle_in_transaction(connection: Connection) -> None:
    with unit_of_work(connection, Unprojected()) as unit:
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '20ms'"))
        time.sleep(0.3)
        record_in(unit, [created(1)])


@pytest.mark.parametrize("work", [lost_in_transaction, slow_statement, idle_in_transaction])
@on_postgresql
async def test_a_transaction_that_postgresql_ends_is_unavailable_and_leaves_nothing(
    database: Database, work: Callable[[Connection], None]
) -> None:
    with pytest.raises(UnavailableError) as raised:
        await database.write(work)
    assert raised.type is UnavailableError
    assert await history(database) == []
    await assert_still_works(database)


#: Fails at COMMIT, not before.
FAILING_COMMIT = {
    "sqlite": [
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
    ],
    "postgresql": [
        "CREATE TABLE child (id INTEGER)",
        "CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON child DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION end_session()",
    ],
}


async def test_a_commit_that_fails_leaves_the_outcome_unknown(database: Database) -> None:
    await execute(database, *FAILING_COMMIT[make_url(str(database.url)).get_backend_name()])

    def work(connection: Connection) -> None:
        with unit_of_work(connection, Unprojected()) as unit:
            record_in(unit, [created(1)])
            connection.execute(text("INSERT INTO child VALUES (1)"))

    with pytest.raises(OutcomeUnknownError):
        await database.write(work)
    assert await history(database) == []  # this commit did not take place; only the log shows that
    await assert_still_works(database)


@on_postgresql
async def test_a_read_survives_the_loss_of_idle_connections(
    database: Database, database_url: str, postgres_server: PostgresServer
) -> None:
    where = f"datname = '{make_url(database_url).database}'"
    slow, quick = text("SELECT pg_sleep(0.05)"), text("SELECT 1")
    await execute(database, "SELECT 1")  # opens the write connection
    for together in (1, 8):
        await asyncio.gather(*[database.read(slow) for _ in range(8)])  # opens every connection of the pool
        ended = postgres_server.execute(
            f"SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE {where}"
        )
        assert int(ended) >= 4  # the connections that the pool keeps
        answers = await asyncio.gather(*[database.read(quick) for _ in range(together)])
        assert [rows[0][0] for rows in answers] == [1] * together
    with pytest.raises(UnavailableError):
        await execute(database, "SELECT 1")
    await assert_still_works(database)


async def test_a_server_that_is_down_is_unavailable_until_it_is_up_again() -> None:
    with PostgresServer() as server:
        async with opened(server.create_database()) as database:
            await execute(database, "SELECT 1")
            assert (await database.read(text("SELECT 1")))[0][0] == 1
            server.stop("immediate")
            for _ in range(2):  # first on a connection that was lost, then on none
                for call in (database.read(text("SELECT 1")), execute(database, "SELECT 1")):
                    with pytest.raises(UnavailableError):
                        await call
            server.start()
            await execute(database, "SELECT 1")
            assert (await database.read(text("SELECT 1")))[0][0] == 1
