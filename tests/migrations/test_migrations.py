"""The schema is upgraded and downgraded as a whole, and matches the metadata."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

import migrations
from api.auth.api_keys.table import api_keys
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.events import ItemDeleted
from eventstore.log.tables import metadata
from projections import PROJECTIONS
from projections.verification_state import verifications
from tests.eventstore.recording import (
    assert_still_works,
    changed,
    created,
    execute,
    opened,
    proposed,
    record,
    tables,
)
from tests.migrations.second_revision import add_second_revision
from tests.support.service import ITEMLEDGER

T = TypeVar("T")

#: Everything that a schema may be made of: tables, indexes, triggers, functions, sequences, types, ...
_OBJECTS = {
    "sqlite": "SELECT type, name FROM sqlite_master",
    "postgresql": """
        SELECT 'relation', relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
        UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
    """,
}


def within(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Run `work` in a transaction."""

    def run(connection: Connection) -> T:
        with connection.begin():
            return work(connection)

    return run


@within
def objects(connection: Connection) -> set[tuple[str, str]]:
    """Return the kind and name of everything in the database except Alembic's own table."""
    rows = connection.execute(text(_OBJECTS[connection.dialect.name]))
    return {(kind, name) for kind, name in rows if "alembic_version" not in name}


def _plain(index: Any) -> dict[str, Any]:
    """Return an index with the conditions of its options as texts, which can be compared."""
    return {**index, "dialect_options": {name: str(value) for name, value in index["dialect_options"].items()}}


@within
def shape(connection: Connection) -> dict[str, Any]:
    """Return every table with its columns and constraints, as the database reports them."""
    look = inspect(connection)
    return {
        table: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in look.get_columns(table)
            ],
            "key": look.get_pk_constraint(table),
            "unique": sorted(look.get_unique_constraints(table), key=str),
            "check": sorted(look.get_check_constraints(table), key=str),
            "foreign": look.get_foreign_keys(table),
            "indexes": sorted(map(_plain, look.get_indexes(table)), key=str),
            "options": look.get_table_options(table),
        }
        for table in look.get_table_names()
        if table != "alembic_version"
    }


@within
def differences(connection: Connection) -> list[Any]:
    """Return the differences that Alembic finds between the database and the metadata."""
    options = {"compare_type": True, "compare_server_default": True}
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return found


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    """A database of either kind with nothing in it."""
    async with opened(empty_url) as database:
        yield database


async def test_upgrade_from_nothing_downgrade_to_nothing_and_upgrade_again(empty: Database) -> None:
    assert await empty.write(objects) == set()
    assert await empty.write(migrations.current) is None
    await empty.write(migrations.upgrade)
    created = await empty.write(objects)
    assert {"trigger"} < {kind for kind, _ in created}
    assert await empty.write(migrations.current) == migrations.head()
    await assert_still_works(empty)
    await empty.write(migrations.downgrade)
    assert await empty.write(objects) == set()
    assert await empty.write(migrations.current) is None
    await empty.write(migrations.upgrade)
    assert await empty.write(objects) == created
    await assert_still_works(empty)


async def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    await assert_still_works(database)
    before = await database.write(objects), await tables(database)
    await database.write(migrations.upgrade)
    assert (await database.write(objects), await tables(database)) == before
    await assert_still_works(database)


async def test_the_migrated_schema_matches_the_metadata_to_alembic(database: Database) -> None:
    assert PROJECTIONS
    assert api_keys.metadata is verifications.metadata is metadata  # imported: these tables are part of it
    assert await database.write(differences) == []


async def test_a_difference_is_found(database: Database) -> None:
    await execute(database, "ALTER TABLE items ADD COLUMN colour TEXT")
    assert len(await database.write(differences)) == 1


async def test_the_migrated_schema_matches_the_metadata_in_every_constraint(database: Database) -> None:
    # Alembic compares neither check constraints nor table options, so ask the database itself.
    migrated = await database.write(shape)
    await database.write(migrations.downgrade)
    await database.write(within(metadata.create_all))
    assert await database.write(shape) == migrated
    assert migrated.keys() == metadata.tables.keys()


async def test_a_revision_that_fails_leaves_nothing_behind(empty: Database) -> None:
    await execute(empty, "CREATE TABLE verifications (mine INTEGER)")  # one of the last tables to be created
    before = await empty.write(objects)
    with pytest.raises(Exception, match="verifications"):
        await empty.write(migrations.upgrade)
    assert await empty.write(objects) == before
    assert await empty.write(migrations.current) is None


async def test_concurrent_upgrades_do_not_collide(empty: Database, empty_url: str) -> None:
    async with opened(empty_url) as one, opened(empty_url) as another:
        migrating = [database.write(migrations.upgrade) for database in (empty, one, another)]
        assert await asyncio.gather(*migrating, return_exceptions=True) == [None] * 3
        assert await another.write(migrations.current) == migrations.head()
    await assert_still_works(empty)


async def test_a_second_revision_is_applied_and_reverted_with_all_data_kept(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(database, [created(position) for position in range(1, 301)])  # enough for a row of `log_tiles`
    await record(database, [changed(1, 2), proposed(2, 2, ItemDeleted())])
    before, schema = await tables(database), await database.write(shape)
    add_second_revision(tmp_path, monkeypatch)
    for _ in range(2):
        await database.write(migrations.upgrade)
        assert await database.write(migrations.current) == migrations.head() == "v0004"
        (head,) = await database.read(text("SELECT * FROM log_head"))
        assert (head.position, head.note) == (302, "none")
        assert await database.read(text("SELECT * FROM second")) == []
        await database.write(lambda connection: migrations.downgrade(connection, "v0003"))
        assert await database.write(shape) == schema
        assert await tables(database) == before
    await database.write(migrations.upgrade)
    await record(database, [changed(1, 3)])
    assert (await database.read(text("SELECT position FROM log_head")))[0].position == 303


async def test_a_new_file_that_is_opened_several_times_at_once_can_be_written_by_all(tmp_path: Path) -> None:
    # In the switch of a new file to WAL mode one connection may fail, though rarely: thus many files.
    for number in range(40):
        opening = [open_database(f"sqlite+aiosqlite:///{tmp_path}/{number}.db") for _ in range(3)]
        found = await asyncio.gather(*(one.write(migrations.current) for one in opening), return_exceptions=True)
        assert found == [None] * 3
        for one in opening:
            await one.dispose()


async def test_a_migration_has_no_timeouts(empty_postgres_url: str) -> None:
    def limits(connection: Connection) -> list[str]:
        with connection.begin():
            migrations._lock(connection)
            return [connection.scalar(text(f"SHOW {name}")) or "" for name in ("lock_timeout", "statement_timeout")]

    async with opened(empty_postgres_url) as database:
        assert await database.write(limits) == ["0", "0"]
        with_requests = [(await database.read(text("SHOW lock_timeout")))[0][0]]
        assert with_requests == ["2s"]


@pytest.mark.parametrize("revision", ["9999", "v9999", "0013"])
async def test_a_revision_that_this_version_does_not_know_is_refused(database: Database, revision: str) -> None:
    await execute(database, f"UPDATE alembic_version SET version_num = '{revision}'")
    for work in (migrations.upgrade, migrations.current):
        with pytest.raises(migrations.UnknownRevisionError, match=f"at {revision}, which this version does not know"):
            await database.write(work)


def run(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": database_url}
    return subprocess.run([ITEMLEDGER, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("revision", ["0001", "0012", "v0001", "v0002"])
async def test_a_database_of_a_development_version_is_refused_with_the_way_out(
    database: Database, database_url: str, revision: str
) -> None:
    await execute(database, f"UPDATE alembic_version SET version_num = '{revision}'")
    before = await tables(database)
    for arguments in (["migrate"], ["serve", "--port", "0"]):
        done = await asyncio.to_thread(run, database_url, *arguments)
        assert (done.returncode, done.stdout) == (2, ""), done
        line = f"Error: The schema is at {revision}, of a development version before the first release"
        assert done.stderr.startswith(line)
        assert "`itemledger events export`" in done.stderr
        assert "import it into an empty database with this one (`itemledger events import`)" in done.stderr
        assert done.stderr.count("\n") == 1
    assert await tables(database) == before


def test_every_file_is_a_revision_and_the_last_is_the_head() -> None:
    files = sorted(path.name for path in (Path(migrations.__file__).parent / "versions").glob("*.py"))
    first = int(files[0][1:5])
    assert [name.split("_")[0] for name in files] == [f"v{number:04}" for number in range(first, first + len(files))]
    assert migrations.head() == files[-1].split("_")[0]
