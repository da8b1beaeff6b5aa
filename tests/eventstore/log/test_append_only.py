"""The databases refuse to change history, and the read engine cannot write."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from eventstore.database.database import Database
from eventstore.errors import UnavailableError
from tests.eventstore.recording import changed, created, execute, opened, record, tables
from tests.support.service import migrate

COLUMNS = (
    "position, item_id, version, type, data, recorded_at, actor, credential, command_id, ordinal, fingerprint, "
    "correlation_id, causation_id, leaf_hash"
)
#: A forged event 1: the same position, or another position with the same version.
SAME_POSITION = f"SELECT {COLUMNS.replace('data', repr('{}'))} FROM events WHERE position = 1"
SAME_VERSION = SAME_POSITION.replace("position, item_id", "99, item_id").replace("command_id", "'other'")
SAME_COMMAND = SAME_POSITION.replace("position, item_id", "99, 99")

#: 9999-12-31T23:59:59.999999Z, in microseconds since the epoch.
LAST_TIME = 253_402_300_799_999_999

CHANGES = [
    "UPDATE events SET data = '{}'",
    "UPDATE events SET data = data WHERE position = 1",
    "UPDATE events SET position = position + 100",
    "DELETE FROM events",
    "DELETE FROM events WHERE position = 2",
    f"INSERT INTO events ({COLUMNS}) {SAME_POSITION} ON CONFLICT (position) DO UPDATE SET data = excluded.data",
]
SQLITE_CHANGES = [
    *CHANGES,
    "UPDATE OR IGNORE events SET data = '{}'",
    "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
    f"INSERT OR REPLACE INTO events ({COLUMNS}) {SAME_POSITION}",
    f"INSERT OR REPLACE INTO events ({COLUMNS}) {SAME_VERSION}",
    f"INSERT OR REPLACE INTO events ({COLUMNS}) {SAME_COMMAND}",
    f"REPLACE INTO events ({COLUMNS}) {SAME_POSITION}",
]
POSTGRES_CHANGES = [
    *CHANGES,
    "TRUNCATE events",
    "TRUNCATE events CASCADE",
    "TRUNCATE items, events RESTART IDENTITY",
    "MERGE INTO events USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM events RETURNING 1) SELECT count(*) FROM gone",
]


#: Every table, and a column to write.
COLUMN_OF = {
    "activity": "stock_value_rest",
    "item_versions": "name",
    "alembic_version": "version_num",
    "events": "data",
    "items": "name",
    "log_head": "frontier",
    "log_tiles": "hash",
    "projections": "name",
}


@pytest.mark.parametrize(
    ("database_url", "role"),
    [("sqlite", None), ("postgresql", "origin"), ("postgresql", "local"), ("postgresql", "replica")],
    indirect=["database_url"],
)
async def test_the_database_refuses_to_change_history(database: Database, role: str | None) -> None:
    await record(database, [created(1), created(2)])
    before = await tables(database)
    # In replica mode a PostgreSQL session runs only triggers that are enabled ALWAYS.
    prelude = [f"SET LOCAL session_replication_role = {role}"] if role else []
    for change in POSTGRES_CHANGES if role else SQLITE_CHANGES:
        with pytest.raises(DBAPIError, match="events is append-only"):
            await execute(database, *prelude, change)
        assert await tables(database) == before, change


#: An event at a given time, in microseconds since the epoch.
AT_A_TIME = SAME_COMMAND.replace("recorded_at", "TIME").replace("command_id", "'other'")


@pytest.mark.parametrize(
    ("database_url", "role"),
    [("sqlite", None), ("postgresql", "origin"), ("postgresql", "replica")],
    indirect=["database_url"],
)
async def test_the_database_refuses_an_event_with_a_time_that_rfc_3339_cannot_write(
    database: Database, role: str | None
) -> None:
    await record(database, [created(1)])
    prelude = [f"SET LOCAL session_replication_role = {role}"] if role else []
    for time in (-(2**63) + 1, -1, LAST_TIME + 1, 2**63 - 1):
        with pytest.raises(DBAPIError, match="recorded_at is out of range"):
            await execute(database, *prelude, f"INSERT INTO events ({COLUMNS}) {AT_A_TIME.replace('TIME', str(time))}")
    await execute(database, *prelude, f"INSERT INTO events ({COLUMNS}) {AT_A_TIME.replace('TIME', str(LAST_TIME))}")
    assert len((await tables(database))["events"]) == 2


async def test_a_sqlite_file_refuses_changes_from_any_client(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    async with opened(sqlite_url) as database:
        await record(database, [created(1), created(2)])
        before = await tables(database)
        # Like the sqlite3 shell, without the settings of our connections.
        with closing(sqlite3.connect(make_url(sqlite_url).database or "", isolation_level=None)) as shell:
            for change in SQLITE_CHANGES:
                with pytest.raises(sqlite3.IntegrityError, match="events is append-only"):
                    shell.execute(change)
        assert await tables(database) == before


async def test_the_read_engine_can_not_write(database: Database) -> None:
    await record(database, [*map(created, range(1, 257)), changed(1, 2)])  # enough for a tile
    before = await tables(database)
    assert before.keys() == COLUMN_OF.keys()
    assert all(before.values())
    for table, column in COLUMN_OF.items():
        for statement in (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
            f"INSERT INTO {table} SELECT * FROM {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} RENAME TO gone",
            "CREATE TABLE made (n INTEGER)",
        ):
            with pytest.raises(UnavailableError) as raised:
                await database.read(text(statement))
            assert "read" in str(raised.value.__cause__), statement  # "read-only", "a readonly database"
    assert await tables(database) == before
