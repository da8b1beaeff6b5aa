"""The schema goes up and down whole, and is what the code's metadata says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

import migrations
from api.auth.api_keys.store import api_keys
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.log.tables import metadata
from projections import PROJECTIONS
from tests.eventstore.recording import assert_still_works, execute, opened

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
    """Give the kind and name of everything in the database but Alembic's own table."""
    rows = connection.execute(text(_OBJECTS[connection.dialect.name]))
    return {(kind, name) for kind, name in rows if "alembic_version" not in name}


@within
def shape(connection: Connection) -> dict[str, Any]:
    """Give every table with its columns and constraints, as the database tells them."""
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
            "indexes": sorted(look.get_indexes(table), key=str),
            "options": look.get_table_options(table),
        }
        for table in look.get_table_names()
        if table != "alembic_version"
    }


@within
def differences(connection: Connection) -> list[Any]:
    """Let Alembic compare the database with the metadata."""
    options = {"compare_type": True, "compare_server_default": True}
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return found


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Database]:
    """A database of either kind with nothing in it."""
    async with opened(empty_url) as database:
        yield database


async def test_up_from_nothing_down_to_nothing_and_up_again(empty: Database) -> None:
    assert await empty.write(objects) == set()
    assert await empty.write(migrations.current) is None
    await empty.write(migrations.upgrade)
    made = await empty.write(objects)
    assert {"trigger"} < {kind for kind, _ in made}
    assert await empty.write(migrations.current) == migrations.head()
    await assert_still_works(empty)
    await empty.write(migrations.downgrade)
    assert await empty.write(objects) == set()
    assert await empty.write(migrations.current) is None
    await empty.write(migrations.upgrade)
    assert await empty.write(objects) == made
    await assert_still_works(empty)


async def test_going_up_twice_is_harmless(database: Database) -> None:
    await assert_still_works(database)
    made = await database.write(objects)
    await database.write(migrations.upgrade)
    assert await database.write(objects) == made
    await assert_still_works(database)


async def test_the_migrated_schema_is_the_metadata_to_alembic(database: Database) -> None:
    assert PROJECTIONS
    assert api_keys.metadata is metadata  # imported: these tables are part of it
    assert await database.write(differences) == []


async def test_a_difference_is_seen(database: Database) -> None:
    await execute(database, "ALTER TABLE items ADD COLUMN colour TEXT")
    assert len(await database.write(differences)) == 1


async def test_the_migrated_schema_is_the_metadata_to_the_last_check(database: Database) -> None:
    # Alembic compares no check constraint and no table option: the database itself tells them.
    migrated = await database.write(shape)
    await database.write(migrations.downgrade)
    await database.write(within(metadata.create_all))
    assert await database.write(shape) == migrated
    assert migrated.keys() == metadata.tables.keys()


async def test_a_step_that_fails_leaves_nothing_of_it(empty: Database) -> None:
    await execute(empty, "CREATE TABLE items (mine INTEGER)")  # the last table that the first step makes
    before = await empty.write(objects)
    with pytest.raises(Exception, match="items"):
        await empty.write(migrations.upgrade)
    assert await empty.write(objects) == before
    assert await empty.write(migrations.current) is None


async def test_two_who_migrate_at_once_do_not_collide(empty: Database, empty_url: str) -> None:
    async with opened(empty_url) as one, opened(empty_url) as another:
        migrating = [database.write(migrations.upgrade) for database in (empty, one, another)]
        assert await asyncio.gather(*migrating, return_exceptions=True) == [None] * 3
        assert await another.write(migrations.current) == migrations.head()
    await assert_still_works(empty)


async def test_many_who_open_a_new_file_at_once_all_can_write_it(tmp_path: Path) -> None:
    # The switch of a new file to WAL is a race that SQLite lets one of them lose, though rarely: thus many files.
    for number in range(40):
        opening = [open_database(f"sqlite+aiosqlite:///{tmp_path}/{number}.db") for _ in range(3)]
        found = await asyncio.gather(*(one.write(migrations.current) for one in opening), return_exceptions=True)
        assert found == [None] * 3
        for one in opening:
            await one.dispose()


async def test_a_migration_has_more_patience_than_a_request(empty_postgres_url: str) -> None:
    def limits(connection: Connection) -> list[str]:
        with connection.begin():
            migrations._alone(connection)
            return [connection.scalar(text(f"SHOW {name}")) or "" for name in ("lock_timeout", "statement_timeout")]

    async with opened(empty_postgres_url) as database:
        assert await database.write(limits) == ["0", "0"]
        with_requests = [(await database.read(text("SHOW lock_timeout")))[0][0]]
        assert with_requests == ["2s"]


async def test_a_schema_that_is_newer_than_the_code_is_refused_by_name(database: Database) -> None:
    await execute(database, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(migrations.UnknownRevisionError, match="9999"):
        await database.write(migrations.upgrade)


def test_the_head_is_the_last_file() -> None:
    files = sorted(path.name for path in (Path(migrations.__file__).parent / "versions").glob("*.py"))
    assert [name.split("_")[0] for name in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    assert migrations.head() == files[-1].split("_")[0]
