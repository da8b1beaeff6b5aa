"""The projections are kept in step in the transaction that appends, or it does not commit."""

import pytest
from sqlalchemy import Connection, text

from eventstore.database.database import Database
from eventstore.events import ItemDeleted
from eventstore.log.unit_of_work import unit_of_work
from projections import PROJECTIONS
from projections.live import CheckpointError
from tests.eventstore.recording import LIVE, changed, created, execute, history, proposed, record, tables
from tests.support.fold import assert_log_and_projection_agree


async def test_the_checkpoints_move_with_the_log(database: Database) -> None:
    async def stand_at(position: int) -> bool:
        rows = await database.read(text("SELECT name, version, position FROM projections"))
        return set(map(tuple, rows)) == {(one.name, one.version, position) for one in PROJECTIONS}

    assert await stand_at(0)
    await record(database, [created(1), changed(1, 2), created(3)])
    assert await stand_at(3)
    await record(database, [changed(3, 2)])
    assert await stand_at(4)
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("stands_at", [0, 1, 3, 99])
async def test_a_projection_that_stands_elsewhere_stops_the_append(database: Database, stands_at: int) -> None:
    await record(database, [created(1), created(2)])
    await execute(database, f"UPDATE projections SET position = {stands_at} WHERE name = 'items'")
    before = await tables(database)
    with pytest.raises(CheckpointError, match=f"items stood at position {stands_at}, while the log was at position 2"):
        await record(database, [created(3)])
    assert await tables(database) == before


async def test_a_run_can_not_be_folded_twice(database: Database) -> None:
    def work(connection: Connection) -> None:
        with unit_of_work(connection, [LIVE]) as unit:
            recorded = unit.record([created(1)], 1)
            LIVE.project(connection, recorded)

    with pytest.raises(CheckpointError, match="position 0"):
        await database.write(work)
    await record(database, [created(1)])
    await assert_log_and_projection_agree(database)


async def test_a_projection_without_a_checkpoint_is_left_to_whoever_builds_it(database: Database) -> None:
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


async def test_a_table_of_an_older_version_is_kept_in_step_as_far_as_it_goes(database: Database) -> None:
    await record(database, [created(1)])
    await execute(database, "ALTER TABLE items DROP COLUMN name_folded")
    await execute(database, "UPDATE projections SET version = 1 WHERE name = 'items'")
    await record(database, [created(2), changed(1, 2), proposed(2, 2, ItemDeleted())])
    await assert_log_and_projection_agree(database)
