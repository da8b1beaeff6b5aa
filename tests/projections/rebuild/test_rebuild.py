"""A rebuilt table is the fold of the log, whatever happened before, and the report shows how the old one differed."""

import asyncio
import json
from hashlib import sha256

import pytest
from sqlalchemy import Connection, Table, text

from eventstore.database.database import Database
from eventstore.errors import LockHeldError
from eventstore.events import ItemDeleted, ItemRestored
from projections import PROJECTIONS
from projections.items.items import ITEMS
from projections.projection import Projection
from projections.rebuild import rebuild_requests, rebuild_state, replay
from projections.rebuild.rebuild import Options, Progress, rebuild
from projections.rebuild.rebuild_state import RebuildCancelledError, Report, lock_name
from tests.eventstore.recording import changed, created, execute, history, opened, proposed, record
from tests.support.fold import assert_log_and_projection_agree
from tests.support.writing import create, writing

NOW = Options()


async def fill(database: Database, items: int = 600) -> None:
    """Create items, change half of them, delete a few and restore one of those."""
    ids = range(1, items + 1)
    await record(database, [created(item) for item in ids])
    await record(database, [changed(item, 2) for item in ids if item % 2])
    await record(database, [proposed(item, 3, ItemDeleted()) for item in (1, 3, 5)])
    await record(database, [proposed(3, 4, ItemRestored())])


async def rows_of(database: Database, table: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await database.read(text(f"SELECT * FROM {table} ORDER BY 1"))]


@pytest.mark.parametrize("items", [6, 600])  # few events are all folded in the last step
@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
async def test_a_rebuilt_table_is_the_fold_of_the_log(database: Database, projection: Projection, items: int) -> None:
    await fill(database, items)
    before = await rows_of(database, projection.name)
    report = await rebuild(database, projection, NOW)
    assert await rows_of(database, projection.name) == before
    assert (report.rows, report.rows_differ, report.samples) == (len(before), 0, [])
    assert report.rows_compared == len(before)  # though what the last step folds is compared again
    assert report.digest_live == report.digest_rebuilt
    assert report.position == report.events == len(await history(database))
    await record(database, [created(report.position + 1)])  # it is kept in step
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("size", [1, 2, 7, 50])
async def test_in_chunks_of_any_size_it_is_the_same(
    database: Database, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay.AdaptivePacer, "size", size)
    await fill(database, 40)
    for projection in PROJECTIONS:
        report = await rebuild(database, projection, NOW)
        assert (report.rows_differ, report.events) == (0, len(await history(database))), report.samples
    await assert_log_and_projection_agree(database)


async def test_every_row_that_differs_is_counted_and_repaired(database: Database) -> None:
    await fill(database)
    await execute(database, "UPDATE items SET price = price + 1 WHERE id IN (7, 8)")
    await execute(database, "DELETE FROM items WHERE id = 9")
    await execute(
        database, "INSERT INTO items SELECT 5000, name, price, in_stock, version, name_folded FROM items WHERE id = 2"
    )
    report = await rebuild(database, ITEMS, NOW)
    assert (report.rows_differ, report.rows_corrected, report.swapped) == (4, 4, False)
    assert report.rows_compared == report.rows + 1  # the one that the log does not have
    assert [(sample.id, sample.column) for sample in report.samples] == [
        (7, "price"),
        (8, "price"),
        (9, "id"),
        (5000, "id"),
    ]
    assert (report.samples[0].live, report.samples[0].rebuilt) == (20_001, 20_000)
    assert report.digest_live != report.digest_rebuilt
    await assert_log_and_projection_agree(database)
    assert (await rebuild(database, ITEMS, NOW)).rows_differ == 0


async def test_a_row_that_was_corrected_after_all_were_compared_is_not_counted(database: Database) -> None:
    await fill(database)
    await execute(database, "UPDATE items SET price = 1 WHERE id IN (7, 8)")
    compared = asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.phase == "swap":
            compared.set()

    async def write_meanwhile() -> None:
        await compared.wait()
        await record(database, [changed(7, 3)])  # an event that overwrites the wrong value

    await asyncio.gather(rebuild(database, ITEMS, NOW, tell), write_meanwhile())
    report = await last_report(database)
    # Whichever came first, the report holds at its position.
    assert {sample.id for sample in report.samples} <= {7, 8}
    assert report.rows_differ == len(report.samples)
    await assert_log_and_projection_agree(database)


async def test_the_digest_can_be_computed_from_the_rows(database: Database) -> None:
    await fill(database, 30)
    report = await rebuild(database, ITEMS, NOW)
    columns = "id, name, price, in_stock, version, name_folded"
    rows = map(list, await database.read(text(f"SELECT {columns} FROM items ORDER BY id")))
    lines = [[*row[:3], bool(row[3]), *row[4:]] for row in rows]
    written = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    assert report.digest_rebuilt == sha256(written.encode()).hexdigest()


async def test_writers_append_all_the_while_and_nothing_differs(database: Database, database_url: str) -> None:
    await fill(database, 3000)
    done = False

    async def write(number: int) -> int:
        written = 0
        async with opened(database_url) as other, writing(other) as writer:
            while not done:
                await create(writer, f"Written meanwhile by {number}")
                written += 1
        return written

    async def rebuild_each() -> None:
        nonlocal done
        try:
            for projection in (*PROJECTIONS, ITEMS):
                report = await rebuild(database, projection, NOW)
                assert (report.rows_differ, report.swapped) == (0, False), report.samples
        finally:
            done = True

    *written, _ = await asyncio.gather(write(1), write(2), rebuild_each())
    assert all(written)
    await assert_log_and_projection_agree(database)


async def test_an_interrupted_rebuild_is_resumed(database: Database) -> None:
    await fill(database, 3000)
    reached = asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.position:
            reached.set()

    first = asyncio.create_task(rebuild(database, ITEMS, Options(throttle=1000), tell))
    await reached.wait()
    with pytest.raises(LockHeldError):
        await rebuild(database, ITEMS, NOW)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    known = (await rebuild_state.find_all(database))["items"]
    assert known.state == "interrupted"
    assert 0 < known.cursor.position < known.target
    report = await rebuild(database, ITEMS, NOW)
    assert report.events == report.position - known.cursor.position
    assert report.rows_differ == 0


async def test_a_cancelled_rebuild_leaves_nothing(database: Database) -> None:
    await fill(database, 3000)

    def tell(progress: Progress) -> None:
        asking.append(
            asyncio.create_task(database.write(lambda connection: rebuild_requests.cancel(connection, "items")))
        )

    asking: list[asyncio.Task[bool | None]] = []
    with pytest.raises(RebuildCancelledError):
        await rebuild(database, ITEMS, Options(throttle=500), tell)
    assert await asking[0]
    assert (await rebuild_state.find_all(database))["items"].state == "cancelled"
    assert not await database.is_locked(lock_name("items"))
    assert (await rebuild(database, ITEMS, NOW)).events == len(await history(database))


async def test_a_lost_database_is_retried_and_the_rebuild_resumed(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database, 3000)
    lost = 0
    write = replay.write

    def losing(connection: Connection, table: Table, folded: replay.Folded) -> None:
        nonlocal lost
        write(connection, table, folded)
        if folded.cursor.position > 1000 and not lost:
            lost += 1
            raise OSError("the connection was reset")

    monkeypatch.setattr("projections.rebuild.shadow.write", losing)
    report = await rebuild(database, ITEMS, Options(throttle=20_000))
    assert lost == 1
    assert (report.rows_differ, report.events) == (0, report.position)
    await assert_log_and_projection_agree(database)


async def last_report(database: Database) -> Report:
    """Read the report of the last rebuild of items."""
    report = (await rebuild_state.find_all(database))["items"].report
    assert report is not None
    return report
