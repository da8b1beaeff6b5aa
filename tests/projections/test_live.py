"""The projections are kept in step in the transaction that appends; otherwise it does not commit."""

import pytest
from sqlalchemy import Connection, text

from eventstore.database.database import Database
from eventstore.events import ItemDeleted
from eventstore.log.unit_of_work import unit_of_work
from projections import PROJECTIONS
from projections.live import CheckpointError
from tests.eventstore.recording import LIVE, changed, created, execute, history, proposed, record, tables
from tests.support.fold import assert_log_and_projection_agree


async def test_positions_advance_with_the_log(database: Database) -> None:
    async def all_at(position: int) -> bool:
        rows = await database.read(text("SELECT name, version, position FROM projections"))
        return set(map(tuple, rows)) == {(one.name, one.version, position) for one in PROJECTIONS}

    assert await all_at(0)
    await record(database, [created(1), changed(1, 2), created(3)])
    assert await all_at(3)
    await record(database, [changed(3, 2)])
    assert await all_at(4)
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("position", [0, 1, 3, 99])
async def test_a_projection_at_another_position_stops_the_append(database: Database, position: int) -> None:
    await record(database, [created(1), created(2)])
    await execute(database, f"UPDATE projections SET position = {position} WHERE name = 'items'")
    before = await tables(database)
    with pytest.raises(CheckpointError, match=f"items is at position {position}, while the log was at position 2"):
        await record(database, [created(3)])
    assert await tables(database) == before


async def test_a_run_cannot_be_folded_twice(database: Database) -> None:
    def work(connection: Connection) -> None:
        with unit_of_work(connection, [LIVE]) as unit:
            recorded = unit.record([created(1)], 1)
            LIVE.project(connection, recorded)

    with pytest.raises(CheckpointError, match="position 0"):
        await database.write(work)
    await record(database, [created(1)])
    await assert_log_and_projection_agree(database)


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
    with pytest.raises(CheckpointError, match=f"{name} is at version {version}"):
        await record(database, [created(2)])
    assert await tables(database) == before


async def test_a_table_of_an_older_version_is_kept_in_step_in_its_columns(database: Database) -> None:
    await record(database, [created(1)])
    await execute(database, "ALTER TABLE items DROP COLUMN name_folded")
    await execute(database, "UPDATE projections SET version = 1 WHERE name = 'items'")
    await record(database, [created(2), changed(1, 2), proposed(2, 2, ItemDeleted())])
    await assert_log_and_projection_agree(database)
