"""The projections are kept in step in the transaction that appends; otherwise it does not commit."""

import pytest

from eventstore.database.database import Database
from eventstore.errors import NewerTableError
from eventstore.events import ItemDeleted
from tests.eventstore.recording import changed, created, execute, history, proposed, record, tables
from tests.support.fold import assert_log_and_projection_agree


async def test_a_projection_that_is_not_built_yet_is_left_to_its_rebuild(database: Database) -> None:
    await execute(database, "DELETE FROM projections")
    await execute(database, "DROP TABLE items")
    await record(database, [created(1)])
    assert len(await history(database)) == 1


@pytest.mark.parametrize(("name", "version"), [("items", 3), ("removed", 1)])
async def test_a_table_of_newer_or_unknown_code_stops_the_append(database: Database, name: str, version: int) -> None:
    await record(database, [created(1)])
    await execute(database, f"UPDATE projections SET name = '{name}', version = {version} WHERE name = 'items'")
    before = await tables(database)
    with pytest.raises(NewerTableError, match=f"{name} is at version {version}"):
        await record(database, [created(2)])
    assert await tables(database) == before


async def test_a_table_of_an_older_version_is_kept_in_step_in_its_columns(database: Database) -> None:
    await record(database, [created(1)])
    await execute(database, "ALTER TABLE items DROP COLUMN name_folded")
    await execute(database, "UPDATE projections SET version = 1 WHERE name = 'items'")
    await record(database, [created(2), changed(1, 2), proposed(2, 2, ItemDeleted())])
    await assert_log_and_projection_agree(database)
