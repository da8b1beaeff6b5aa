"""Triggers that the database's owner drops, disables or alters are named, keep a start from happening, and restored."""

import pytest
from sqlalchemy import Connection

from api.startup import StartError, prepare
from eventstore.database.database import Database
from eventstore.database.sqlite.database import SqliteDatabase
from migrations import triggers
from tests.api.cli.command import itemledger
from tests.eventstore.recording import execute, opened
from tests.support.clients.http import check_problem
from tests.support.service import InProcess, migrate

_SQLITE = {
    "events_no_update is missing": ["DROP TRIGGER events_no_update"],
    "events_no_replace is missing": ["DROP TRIGGER events_no_replace"],
    "api_keys_no_delete is missing": ["DROP TRIGGER api_keys_no_delete"],
    "events_no_delete was altered": [
        "DROP TRIGGER events_no_delete",
        "CREATE TRIGGER events_no_delete BEFORE DELETE ON events WHEN OLD.position = 0 "
        "BEGIN SELECT RAISE(ABORT, 'events is append-only'); END",
    ],
    "events_time was altered": [
        "DROP TRIGGER events_time",
        "CREATE TRIGGER events_time BEFORE INSERT ON events BEGIN SELECT 1; END",
    ],
    "first_api_key_no_update is missing": [
        "DROP TRIGGER first_api_key_no_update",
        "CREATE TRIGGER first_api_key_no_update BEFORE UPDATE ON api_keys BEGIN SELECT 1; END",
    ],
}
_POSTGRESQL = {
    "events_no_change is missing": ["DROP TRIGGER events_no_change ON events"],
    "events_no_truncate is disabled": ["ALTER TABLE events DISABLE TRIGGER events_no_truncate"],
    # As restores and replication tools leave it: off where session_replication_role is replica.
    "events_no_change is disabled": ["ALTER TABLE events ENABLE TRIGGER events_no_change"],
    "events_time is disabled": ["ALTER TABLE events ENABLE REPLICA TRIGGER events_time"],
    "api_keys_no_change is disabled": ["ALTER TABLE api_keys DISABLE TRIGGER ALL"],
    "events_no_change was altered": [
        "CREATE OR REPLACE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
    ],
    "events_time was altered": [
        "DROP TRIGGER events_time ON events",
        "CREATE TRIGGER events_time BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.recorded_at < 0) "
        "EXECUTE FUNCTION events_time()",
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_time",
    ],
    "events_no_truncate was altered": [
        "DROP TRIGGER events_no_truncate ON events",
        "CREATE TRIGGER events_no_truncate AFTER TRUNCATE ON events EXECUTE FUNCTION events_append_only()",
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_truncate",
    ],
}
CASES = [*((fault, "sqlite", sql) for fault, sql in _SQLITE.items())]
CASES += [(fault, "postgresql", sql) for fault, sql in _POSTGRESQL.items()]


def _is_of(database: Database, dialect: str) -> bool:
    return isinstance(database, SqliteDatabase) is (dialect == "sqlite")


async def test_a_new_database_has_its_triggers(database: Database) -> None:
    assert await database.read_transaction(triggers.faults) == []
    assert await database.run_isolated(triggers.faults) == []
    assert await database.write(triggers.restore) == []


async def test_each_change_of_a_trigger_is_named_and_undone(database: Database) -> None:
    for fault, dialect, statements in CASES:
        if not _is_of(database, dialect):
            continue
        await execute(database, *statements)
        found = await database.read_transaction(triggers.faults)
        assert fault in found, (fault, found)
        with pytest.raises(StartError, match=f"{fault}.*itemledger migrate"):
            await prepare(database)
        assert fault in await database.write(triggers.restore)
        assert await database.read_transaction(triggers.faults) == [], fault
        await prepare(database)


def _drop(connection: Connection) -> None:
    with connection.begin():
        on_table = " ON events" if connection.dialect.name == "postgresql" else ""
        name = "events_no_change" if on_table else "events_no_update"
        connection.exec_driver_sql(f"DROP TRIGGER {name}{on_table}")


async def test_readyz_says_that_a_trigger_has_gone(service: InProcess) -> None:
    assert (await service.client.get("/readyz")).status_code == 200
    async with service.owner() as owner:
        await owner.write(_drop)
    problem = check_problem(await service.client.get("/readyz"), 503, "not-ready")
    assert "is missing. Run `itemledger verify log`, then `itemledger migrate`" in problem["detail"]


async def test_the_commands_name_a_missing_trigger_and_migrate_restores_it(database_url: str) -> None:
    await migrate(database_url)
    async with opened(database_url) as database:
        await database.write(_drop)
    verified = itemledger(database_url, "verify", "log")
    assert verified.returncode == 1
    assert "NOT PROTECTED" in verified.stdout
    assert "is missing" in verified.stdout
    assert "The log is intact: 0 events" in verified.stdout
    refused = itemledger(database_url, "keys", "list")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is missing" in refused.stderr
    restored = itemledger(database_url, "migrate")
    assert restored.returncode == 0
    assert "Restored a trigger: events_no_" in restored.stdout
    assert itemledger(database_url, "migrate").stdout.count("\n") == 1
    assert itemledger(database_url, "verify", "log").returncode == 0
