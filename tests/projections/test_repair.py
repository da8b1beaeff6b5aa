"""One item's row and snapshots are repaired from its events."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import text

from commands.item import ChangeItem
from eventstore.database.database import Database
from projections import PROJECTIONS
from projections.activity import ACTIVITY
from projections.items.items import ITEMS
from projections.repair import RepairError, repair
from projections.verify import verify
from tests.eventstore.recording import execute, opened
from tests.projections.test_verify import DELETED, LONG, RESTORED, fill
from tests.support.fold import assert_log_and_projection_agree
from tests.support.tables import everything
from tests.support.writing import metadata, writing


@pytest.mark.parametrize(
    ("tampering", "item_id", "column"),
    [
        (f"UPDATE items SET price = 1 WHERE id = {LONG}", LONG, "price"),
        (f"UPDATE items SET version = 1 WHERE id = {RESTORED}", RESTORED, "version"),
        (f"DELETE FROM items WHERE id = {LONG}", LONG, "id"),
        (f"UPDATE items SET id = {DELETED} WHERE id = 4", DELETED, "id"),
        ("UPDATE items SET id = 77 WHERE id = 4", 77, "id"),
    ],
)
async def test_a_row_that_differs_is_corrected_from_the_log(
    database: Database, tampering: str, item_id: int, column: str
) -> None:
    await fill(database)
    await execute(database, "CREATE TABLE kept AS SELECT * FROM items", tampering)
    before = await everything(database)
    dry = await repair(database, ITEMS, item_id, dry_run=True)
    assert await everything(database) == before
    report = await repair(database, ITEMS, item_id)
    assert [(value.id, value.column) for value in report.row] == [(item_id, column)]
    assert (dry.row, dry.mended, report.mended, report.snapshots) == (report.row, False, True, [])
    assert report.position == 42
    if " SET id" in tampering:
        await repair(database, ITEMS, 4)
    assert await rows(database, "items") == await rows(database, "kept")
    await assert_log_and_projection_agree(database)


async def rows(database: Database, name: str) -> list[str]:
    return sorted(map(repr, await database.read(text(f"SELECT * FROM {name}"))))


@pytest.mark.parametrize("item_id", [LONG, DELETED, RESTORED])
async def test_an_item_that_matches_the_log_is_not_changed(database: Database, item_id: int) -> None:
    await fill(database)
    before = await everything(database)
    report = await repair(database, ITEMS, item_id)
    assert (report.row, report.snapshots, report.mended) == ([], [], False)
    assert await everything(database) == before


async def test_only_snapshots_that_differ_are_deleted(database: Database) -> None:
    await fill(database)
    await execute(database, "UPDATE snapshots SET data = replace(data, 'Pen', 'Pan') WHERE version = 17")
    report = await repair(database, ITEMS, LONG)
    assert [(value.column, value.live, value.rebuilt) for value in report.snapshots] == [
        ("name, version 17", "Pan", "Pen")
    ]
    assert report.mended
    assert [row.version for row in await database.read(text("SELECT version FROM snapshots"))] == [33]
    assert all(verdict.same for verdict in await verify(database, PROJECTIONS))


@pytest.mark.parametrize("item_id", [0, -1, 5, 999, 2**62])
async def test_an_item_that_never_existed_is_rejected(database: Database, item_id: int) -> None:
    await fill(database)  # event 5 belongs to another item
    with pytest.raises(RepairError, match=f"Item {item_id} does not exist and never existed"):
        await repair(database, ITEMS, item_id)


@pytest.mark.parametrize(
    ("tampering", "reason"),
    [
        ("UPDATE projections SET version = 1", "items is at version 1, while this version of the code has 2"),
        ("UPDATE projections SET version = 9", "items is at version 9, while this version of the code has 2"),
        ("DELETE FROM projections", "items is not built yet"),
        ("DROP TABLE items", "items is not built yet"),
    ],
)
async def test_a_table_of_another_version_or_none_is_rejected(database: Database, tampering: str, reason: str) -> None:
    await fill(database)
    await execute(database, tampering)
    before = await everything(database)
    with pytest.raises(RepairError, match=reason):
        await repair(database, ITEMS, LONG)
    assert await everything(database) == before


async def test_a_projection_without_rows_of_items_is_rejected(database: Database) -> None:
    await fill(database)
    with pytest.raises(RepairError, match="activity has no rows of single items: run `itemledger rebuild activity`"):
        await repair(database, ACTIVITY, LONG)


async def test_an_item_is_repaired_while_others_change_it(database_url: str, database: Database) -> None:
    await fill(database)
    async with writing(database) as writer, opened(database_url) as other:

        async def change() -> None:
            for number in range(40):
                await writer.submit(ChangeItem(LONG, price=Decimal(1000 + number)), metadata=metadata())

        await execute(other, f"UPDATE items SET name = 'Pan' WHERE id = {LONG}")
        assert (await repair(other, ITEMS, LONG)).mended
        changing = asyncio.create_task(change())
        while not changing.done():
            assert not (await repair(other, ITEMS, LONG)).mended
        await changing
    await assert_log_and_projection_agree(database)
