"""From events to days, exactly, and read with their position. See test_contract.py for what every projection does."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from eventstore.database.database import Database
from eventstore.events import ItemChanged, ItemCreated, ItemDeleted, ItemRestored
from eventstore.log.head import head_position
from projections.activity import ACTIVITY, ActivityReader, DayPage, DayView, activity
from projections.errors import ProjectionNotReadyError
from projections.rebuild import replay
from projections.rebuild.rebuild import Options, rebuild
from tests.eventstore.recording import ProposedEvent, append, changed, created, execute, proposed, record
from tests.projections.transactions import apply, rolled_back
from tests.support.fold import assert_log_and_projection_agree, stored_days

DAY = 86_400_000_000


def priced(item_id: int, price: str, in_stock: bool = True) -> ProposedEvent:
    return proposed(item_id, 1, ItemCreated("Pen", Decimal(price), in_stock))


async def test_a_day_has_its_counts_and_the_totals_at_its_end(database: Database) -> None:
    await record(database, [priced(1, "1.5"), priced(2, "2"), priced(3, "4", in_stock=False)], now=10 * DAY)
    await record(database, [proposed(3, 2, ItemChanged(in_stock=True))], now=11 * DAY - 1)
    await record(database, [proposed(1, 2, ItemDeleted()), proposed(2, 2, ItemChanged(price=Decimal(3)))], now=11 * DAY)
    await record(database, [proposed(2, 3, ItemDeleted()), proposed(1, 3, ItemRestored())], now=14 * DAY)
    await record(database, [proposed(1, 4, ItemChanged(name="Nib")), proposed(1, 5, ItemDeleted())], now=14 * DAY + 1)

    def days(connection: Connection) -> dict[int, tuple[int, ...]]:
        with connection.begin():
            return {day: tuple(row.values()) for day, row in stored_days(connection).items()}

    assert await database.write(days) == {
        10: (3, 1, 0, 0, 3, 75_000),
        11: (0, 1, 1, 0, 2, 70_000),
        14: (0, 1, 2, 1, 1, 40_000),
    }
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_an_existing_log_is_folded_by_a_rebuild_while_more_is_appended(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(replay.AdaptivePacer, "size", size)
    await execute(database, "DELETE FROM projections WHERE name = 'activity'", "DROP TABLE activity")
    await week(database)
    await record(database, [changed(1, 2), proposed(2, 2, ItemDeleted())], now=7 * DAY)
    building = asyncio.create_task(rebuild(database, ACTIVITY, Options()))
    for position in range(9, 30):
        await record(database, [created(position)], now=position * DAY // 2)
    assert (await building).swapped
    await record(database, [proposed(2, 3, ItemRestored())], now=20 * DAY)
    await assert_log_and_projection_agree(database)
    page = await ActivityReader(database).page(date.min, date.max, 1)
    assert page == DayPage(30, [DayView(date(1970, 1, 21), 0, 0, 0, 1, 27, 27 * 15_000 + 5_000)], date(1970, 1, 15))


async def test_a_sum_is_exact_beyond_64_bits(database: Database) -> None:
    most = "99999999999999.9999"

    def work(connection: Connection) -> None:
        for sign in ("", "-"):
            before = head_position(connection)
            for start in (before + 1, before + 101):
                births = [priced(item_id, sign + most) for item_id in range(start, start + 100)]
                apply(connection, ACTIVITY, activity, append(connection, births))
            (day,) = stored_days(connection).values()
            assert day["stock_value"] == (0 if sign else 200 * (10**18 - 1))
            assert day["active_items"] == before + 200

    await rolled_back(database, work)


async def test_an_item_created_and_deleted_in_one_run_is_counted_and_worth_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        run = [created(1), changed(1, 2), proposed(1, 3, ItemDeleted())]
        apply(connection, ACTIVITY, activity, append(connection, run))
        assert stored_days(connection) == {
            0: {"created": 1, "changed": 1, "deleted": 1, "restored": 0, "active_items": 0, "stock_value": 0}
        }

    await rolled_back(database, work)


def day(number: int, created: int, active: int) -> DayView:
    return DayView(date(1970, 1, number + 1), created, 0, 0, 0, active, active * 15_000)


async def week(database: Database) -> list[DayView]:
    """Record 3 creations on day 0 and one on each of the days 2, 4 and 6; return the days, newest first."""
    for position, number in enumerate([0, 0, 0, 2, 4, 6], 1):
        await record(database, [created(position)], now=number * DAY)
    return [day(6, 1, 6), day(4, 1, 5), day(2, 1, 4), day(0, 3, 3)]


async def test_days_are_read_newest_first_within_a_range_and_a_page_at_a_time(database: Database) -> None:
    reader = ActivityReader(database)
    assert await reader.page(date.min, date.max, 10) == DayPage(0, [], None)
    days = await week(database)
    assert await reader.page(date.min, date.max, 10) == DayPage(6, days, None)
    assert await reader.page(date.min, date.max, 4) == DayPage(6, days, None)
    assert await reader.page(date.min, date.max, 3) == DayPage(6, days[:3], days[3].day)
    assert await reader.page(date.min, days[1].day, 1) == DayPage(6, days[1:2], days[2].day)
    assert await reader.page(days[2].day, days[1].day, 10) == DayPage(6, days[1:3], None)
    assert await reader.page(date(1970, 1, 2), date(1970, 1, 4), 10) == DayPage(6, days[2:3], None)
    assert await reader.page(date(1970, 1, 2), date(1970, 1, 2), 10) == DayPage(6, [], None)
    assert await reader.page(days[1].day, days[2].day, 10) == DayPage(6, [], None)
    assert await reader.page(date.min, date(1969, 12, 31), 10) == DayPage(6, [], None)


async def test_a_page_is_of_one_moment_with_its_position(database: Database) -> None:
    reader = ActivityReader(database)
    going = True

    async def read() -> None:
        while going:
            page = await reader.page(date.min, date.max, 1)
            assert page is not None
            assert sum(day.created for day in page.days) == page.position

    reading = [asyncio.create_task(read()) for _ in range(3)]
    for position in range(1, 31):
        await record(database, [created(position)])
    going = False
    await asyncio.gather(*reading)


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM projections WHERE name = 'activity'", "DROP TABLE activity"],
        ["DELETE FROM projections WHERE name = 'activity'"],
        ["UPDATE projections SET version = 0 WHERE name = 'activity'", "ALTER TABLE activity DROP COLUMN restored"],
    ],
    ids=["no table", "one that is not yet complete", "one of an older version"],
)
async def test_a_table_that_cannot_answer_yet_is_not_ready(database: Database, statements: list[str]) -> None:
    await week(database)
    await execute(database, *statements)
    with pytest.raises(ProjectionNotReadyError, match="activity"):
        await ActivityReader(database).page(date.min, date.max, 10)


async def test_an_older_table_that_has_every_column_is_still_read(database: Database) -> None:
    days = await week(database)
    await execute(database, "UPDATE projections SET version = 0 WHERE name = 'activity'")
    assert await ActivityReader(database).page(date.min, date.max, 10) == DayPage(6, days, None)


async def test_a_table_that_is_swapped_in_during_a_read_is_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = await week(database)
    await execute(database, "ALTER TABLE activity RENAME TO hidden")
    read, reads = database.read, 0

    async def reading(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 2:
            await execute(database, "ALTER TABLE hidden RENAME TO activity")
        return await read(*arguments)

    monkeypatch.setattr(database, "read", reading)
    assert await ActivityReader(database).page(date.min, date.max, 10) == DayPage(6, days, None)


async def test_a_lost_table_is_an_error(database: Database) -> None:
    await execute(database, "DROP TABLE activity")
    with pytest.raises(DBAPIError):
        await ActivityReader(database).page(date.min, date.max, 10)
