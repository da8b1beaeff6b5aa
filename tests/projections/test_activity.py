"""From events to days: the same in one run or cut anywhere, exact, and told with the position they are of."""

import asyncio
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError

from eventstore.database.database import Database
from eventstore.events import ItemChanged, ItemCreated, ItemDeleted, ItemRestored, ProposedEvent, RecordedEvent
from eventstore.log import log
from eventstore.log.snapshots import Snapshot, keep
from projections.activity import ACTIVITY, ActivityReader, DayPage, DayView, activity
from projections.projection import PriorState, apply
from projections.rebuild import replay
from projections.rebuild.rebuild import Options, rebuild
from tests.eventstore.recording import changed, created, execute, proposed, record
from tests.projections.histories import cuts, histories
from tests.projections.test_fold import in_passing
from tests.support.fold import assert_log_and_projection_agree, days_of_log, stored_days

DAY = 86_400_000_000

_search = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def append(connection: Connection, events: Sequence[ProposedEvent], now: int = 1) -> list[RecordedEvent]:
    return log.append(connection, log.lock_head(connection), events, now)[1]


#: A stretch of a log: some events, and when they are recorded.
Stretch = tuple[list[ProposedEvent], int]


@st.composite
def calendars(draw: st.DrawFn) -> tuple[list[Stretch], list[int]]:
    """Draw a log that goes over some days, with several stretches on one and days without any; and where to cut it."""
    history = draw(histories())
    stretches: list[Stretch] = []
    now = draw(st.sampled_from([0, 1, DAY - 1, DAY, 20_000 * DAY]))
    for start, end in pairwise(cuts(draw, len(history))):
        stretches.append((history[start:end], now))
        now += draw(st.sampled_from([0, 1, DAY - 1, DAY, 3 * DAY]))
    return stretches, cuts(draw, len(history))


@_search
@given(calendars())
async def test_the_live_fold_is_the_same_wherever_it_is_cut(
    database: Database, example: tuple[list[Stretch], list[int]]
) -> None:
    def work(connection: Connection) -> None:
        for events, now in example[0]:
            apply(connection, ACTIVITY, activity, append(connection, events, now))
            assert stored_days(connection) == days_of_log(connection)

    await in_passing(database, work)


@_search
@given(calendars())
async def test_a_replay_is_the_same_wherever_it_is_cut(
    database: Database, example: tuple[list[Stretch], list[int]]
) -> None:
    stretches, cuts = example

    def work(connection: Connection) -> None:
        recorded = [one for events, now in stretches for one in append(connection, events, now)]
        apply(connection, ACTIVITY, activity, recorded)
        at_once = stored_days(connection)
        assert at_once == days_of_log(connection)
        connection.execute(delete(activity))
        for start, end in pairwise(cuts):  # the log already holds what lies ahead of the chunk
            apply(connection, ACTIVITY, activity, recorded[start:end])
            assert stored_days(connection) == days_of_log(connection, upto=end)
        assert stored_days(connection) == at_once

    await in_passing(database, work)


def priced(item_id: int, price: str, in_stock: bool = True) -> ProposedEvent:
    return proposed(item_id, 1, ItemCreated("Pen", Decimal(price), in_stock))


async def test_a_day_counts_what_happened_and_says_what_there_was_at_its_end(database: Database) -> None:
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
async def test_a_log_that_has_days_already_is_worked_out_while_more_is_recorded(
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
            before = log.head_position(connection)
            for start in (before + 1, before + 101):
                births = [priced(item_id, sign + most) for item_id in range(start, start + 100)]
                apply(connection, ACTIVITY, activity, append(connection, births))
            (day,) = stored_days(connection).values()
            assert day["stock_value"] == (0 if sign else 200 * (10**18 - 1))
            assert day["alive"] == before + 200

    await in_passing(database, work)


async def test_an_item_that_comes_and_goes_in_one_run_is_counted_and_worth_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        run = [created(1), changed(1, 2), proposed(1, 3, ItemDeleted())]
        apply(connection, ACTIVITY, activity, append(connection, run))
        assert stored_days(connection) == {
            0: {"created": 1, "changed": 1, "deleted": 1, "restored": 0, "alive": 0, "stock_value": 0}
        }

    await in_passing(database, work)


async def test_the_fold_of_what_was_loaded_needs_nothing_else_and_changes_nothing_of_it(database: Database) -> None:
    def work(connection: Connection) -> None:
        apply(connection, ACTIVITY, activity, append(connection, [created(1), created(2)]))
        recorded = append(connection, [changed(1, 2), created(4)], now=DAY)
        loaded = ACTIVITY.load(PriorState(connection, activity, 2), recorded)
        copy = {key: dict(row) for key, row in loaded.items()}
        changes = ACTIVITY.fold(recorded, loaded)
        assert changes.keys() == {1}
        assert ACTIVITY.fold(recorded, loaded) == changes
        assert loaded == copy

    await in_passing(database, work)


@pytest.mark.parametrize(("whole", "price"), [(False, 50_000), (True, 390_000)])
async def test_an_item_is_known_by_its_snapshot_but_to_whoever_wants_events_alone(
    database: Database, whole: bool, price: int
) -> None:
    def work(connection: Connection) -> None:
        append(connection, [created(1), *(changed(1, version) for version in range(2, 40))])
        keep(connection, [Snapshot(1, 39, 39, ItemCreated("Pen", Decimal(5), False))])  # not what the events say
        deleted = append(connection, [proposed(1, 40, ItemDeleted())])
        loaded = ACTIVITY.load(PriorState(connection, activity, 39, whole=whole), deleted)
        assert loaded == {-1: {"alive": True, "price": price, "in_stock": whole}}

    await in_passing(database, work)


async def test_a_run_costs_a_look_at_the_last_day_one_at_the_items_it_changes_and_a_row(database: Database) -> None:
    statements: list[str] = []

    def work(connection: Connection) -> None:
        listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2].split()[0]))
        births = append(connection, [created(item_id) for item_id in range(1, 33)])
        deaths = append(connection, [proposed(item_id, 2, ItemDeleted()) for item_id in range(1, 33)])
        for run, cost in ((births, ["SELECT", "INSERT"]), (deaths, ["SELECT", "SELECT", "INSERT"])):
            statements.clear()
            apply(connection, ACTIVITY, activity, run)
            assert statements == cost

    await in_passing(database, work)


def day(number: int, created: int, alive: int) -> DayView:
    return DayView(date(1970, 1, number + 1), created, 0, 0, 0, alive, alive * 15_000)


async def week(database: Database) -> list[DayView]:
    """Record 3 creations on day 0 and one on each of the days 2, 4 and 6; give the days, newest first."""
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

    async def look() -> None:
        while going:
            page = await reader.page(date.min, date.max, 1)
            assert page is not None
            assert sum(day.created for day in page.days) == page.position

    looking = [asyncio.create_task(look()) for _ in range(3)]
    for position in range(1, 31):
        await record(database, [created(position)])
    going = False
    await asyncio.gather(*looking)


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM projections WHERE name = 'activity'", "DROP TABLE activity"],
        ["DELETE FROM projections WHERE name = 'activity'"],
        ["UPDATE projections SET version = 0 WHERE name = 'activity'", "ALTER TABLE activity DROP COLUMN restored"],
    ],
    ids=["no table", "one that is not yet complete", "one of an older version"],
)
async def test_what_can_not_tell_yet_tells_nothing(database: Database, statements: list[str]) -> None:
    await week(database)
    await execute(database, *statements)
    assert await ActivityReader(database).page(date.min, date.max, 10) is None


async def test_an_older_table_that_has_every_column_goes_on_telling(database: Database) -> None:
    days = await week(database)
    await execute(database, "UPDATE projections SET version = 0 WHERE name = 'activity'")
    assert await ActivityReader(database).page(date.min, date.max, 10) == DayPage(6, days, None)


async def test_a_table_that_comes_while_it_is_missed_is_read(
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


async def test_a_table_that_is_lost_is_a_fault_and_no_promise(database: Database) -> None:
    await execute(database, "DROP TABLE activity")
    with pytest.raises(DBAPIError):
        await ActivityReader(database).page(date.min, date.max, 10)
