"""The projections are kept in step in the transaction that appends, or it does not commit."""

import pytest
from sqlalchemy import Connection, text

from eventstore.database import Database
from eventstore.unit_of_work import unit_of_work
from projections.items import ITEMS
from projections.projection import CheckpointError, LiveProjections
from tests.eventstore.recording import LIVE, changed, created, execute, record, tables
from tests.support.fold import assert_log_and_projection_agree


async def test_the_checkpoint_moves_with_the_log(database: Database) -> None:
    assert [tuple(row) for row in await database.read(text("SELECT * FROM projections"))] == [("items", 2, 0)]
    await record(database, [created(1), changed(1, 2), created(3)])
    assert [tuple(row) for row in await database.read(text("SELECT * FROM projections"))] == [("items", 2, 3)]
    await record(database, [changed(3, 2)])
    assert [tuple(row) for row in await database.read(text("SELECT * FROM projections"))] == [("items", 2, 4)]
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("stands_at", [0, 1, 3, 99])
async def test_a_projection_that_stands_elsewhere_stops_the_append(database: Database, stands_at: int) -> None:
    await record(database, [created(1), created(2)])
    await execute(database, f"UPDATE projections SET position = {stands_at}")
    before = await tables(database)
    with pytest.raises(CheckpointError, match="position 2"):
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


async def test_a_projection_without_a_checkpoint_stops_the_append(database: Database) -> None:
    with pytest.raises(CheckpointError):
        await record(database, [created(1)], projectors=[LiveProjections([ITEMS, ITEMS])])
    assert (await tables(database))["events"] == []
