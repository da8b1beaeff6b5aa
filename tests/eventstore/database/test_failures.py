"""The meaning of database errors: transient, out of space, or an error of the statement."""

import sqlite3
from collections.abc import Awaitable
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

from eventstore.database.database import Database
from eventstore.database.failures import commit_outcome, translate
from eventstore.errors import OutcomeUnknownError, ReadOnlyError, StorageFullError, UnavailableError
from tests.eventstore.recording import assert_still_works, created, execute, history, opened, record

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

#: The translation of PostgreSQL's codes; DBAPIError is an error of the statement, raised unchanged.
MEANING: dict[str, type[Exception]] = {
    "53100": StorageFullError,  # disk_full
    "53200": UnavailableError,  # out_of_memory
    "53300": UnavailableError,  # too_many_connections
    "08006": UnavailableError,  # connection_failure
    "25006": ReadOnlyError,  # read_only_sql_transaction: a standby
    "40001": UnavailableError,  # serialization_failure
    "40P01": UnavailableError,  # deadlock_detected
    "55P03": UnavailableError,  # lock_not_available
    "57014": UnavailableError,  # query_canceled
    "57P01": UnavailableError,  # admin_shutdown
    "57P03": UnavailableError,  # cannot_connect_now
    "23505": DBAPIError,  # unique_violation
    "23001": DBAPIError,  # restrict_violation
    "22003": DBAPIError,  # numeric_value_out_of_range
    "22021": DBAPIError,  # character_not_in_repertoire
    "42501": DBAPIError,  # insufficient_privilege
    "42P01": DBAPIError,  # undefined_table
    "54000": DBAPIError,  # program_limit_exceeded
    "XX000": DBAPIError,  # internal_error
}


async def error_of(call: Awaitable[object]) -> Exception:
    try:
        await call
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@on_postgresql
async def test_reads_and_writes_translate_sqlstates_alike(database_url: str) -> None:
    async with opened(database_url) as database:
        for sqlstate, meaning in MEANING.items():
            raising = f"DO $$ BEGIN RAISE EXCEPTION 'provoked' USING ERRCODE = '{sqlstate}'; END $$"
            for error in (await error_of(execute(database, raising)), await error_of(database.read(text(raising)))):
                if meaning is DBAPIError:
                    assert isinstance(error, DBAPIError), sqlstate
                    assert getattr(error.orig, "sqlstate", None) == sqlstate
                else:  # the exact class: StorageFullError is an UnavailableError too, with another response
                    assert type(error) is meaning, sqlstate
                    assert "provoked" in str(error.__cause__)


@on_postgresql
async def test_a_lock_timeout_on_postgresql_is_unavailable(database: Database, database_url: str) -> None:
    async with opened(database_url) as other:

        def hold(connection: Connection) -> None:
            connection.begin()  # left open
            connection.execute(text("LOCK TABLE log_head IN ACCESS EXCLUSIVE MODE"))

        await other.write(hold)
        await execute(database, "SELECT 1")
        await database.write(impatient)
        with pytest.raises(UnavailableError):
            await record(database, [created(1)])
    await assert_still_works(database)


def impatient(connection: Connection) -> None:
    """Shorten the lock timeout of this write connection."""
    patience = "PRAGMA busy_timeout=20" if connection.dialect.name == "sqlite" else "SET lock_timeout = '20ms'"
    with connection.begin():
        connection.execute(text(patience))


@on_sqlite
async def test_a_locked_sqlite_file_is_unavailable(database: Database) -> None:
    await database.write(impatient)
    holder = sqlite3.connect(str(make_url(str(database.url)).database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError) as raised:
        await record(database, [created(1)])
    assert raised.type is UnavailableError
    assert (await database.read(text("SELECT count(*) FROM items")))[0][0] == 0  # readers do not wait
    holder.execute("COMMIT")
    holder.close()
    await assert_still_works(database)


@on_sqlite
async def test_an_sqlite_file_that_cannot_grow_is_reported_as_full(database: Database) -> None:
    def fill(connection: Connection) -> None:
        with connection.begin():
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count={pages}"))

    await database.write(fill)
    with pytest.raises(StorageFullError):
        await record(database, [created(position, "x" * 200) for position in range(1, 500)])
    assert await history(database) == []
    await assert_still_works(database)


async def test_an_invalid_sqlite_path_is_unavailable(tmp_path: Path) -> None:
    async with opened(f"sqlite+aiosqlite:///{tmp_path}") as database:
        with pytest.raises(UnavailableError):
            await execute(database, "SELECT 1")
        with pytest.raises(UnavailableError):
            await database.read(text("SELECT 1"))


@pytest.mark.parametrize("statement", ["SELECT * FROM nowhere", "SELEC", "INSERT INTO items (id) VALUES (1)"])
async def test_an_error_of_the_statement_is_raised_unchanged(database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError):
        await execute(database, statement)
    await assert_still_works(database)


@pytest.mark.parametrize(
    "lost", [asyncpg.InterfaceError("closed"), asyncpg.InternalClientError("unknown protocol state")]
)
def test_a_call_over_a_connection_that_was_lost_is_unavailable(lost: Exception) -> None:
    assert type(translate(lost)) is UnavailableError
    assert translate(error := asyncpg.DataError("an argument")) is error


@pytest.mark.parametrize(
    ("severity", "raised"), [("ERROR", asyncpg.UniqueViolationError), ("FATAL", OutcomeUnknownError)]
)
def test_only_an_error_of_the_statement_itself_shows_that_nothing_was_committed(
    severity: str, raised: type[Exception]
) -> None:
    error = asyncpg.UniqueViolationError("provoked")
    error.severity, error.severity_en = "FEHLER", severity  # the first is in the server's language
    with pytest.raises(raised), commit_outcome():
        raise error
