"""The check in the background finds what has drifted from the log, says so once, and says when it is right again."""

import asyncio
import random
from decimal import Decimal

import pytest
from sqlalchemy import text

from commands.item import ChangeItem, CreateItem, DeleteItem
from eventstore.database.database import Database
from projections import PROJECTIONS, checks
from projections.drift import DriftCheck, News
from projections.items.items import ITEMS
from projections.rebuild.rebuild import Options, rebuild
from projections.repair import mend
from tests.eventstore.recording import execute
from tests.projections.test_verify import LONG, TAMPERINGS, churn, fill, replacing
from tests.support.tables import everything
from tests.support.writing import create, metadata, writing

ADDED = "INSERT INTO items (id, name, price, in_stock, version, name_folded) VALUES"


async def begun(database: Database) -> DriftCheck:
    check = DriftCheck(database, PROJECTIONS)
    await check.resume()
    return check


async def steps(check: DriftCheck, number: int) -> list[News]:
    return [news for _ in range(number) for news in await check.step()]


def told(news: list[News]) -> list[tuple[str, str, int | None]]:
    return [(one.projection, one.kind, one.finding.id if one.finding else None) for one in news]


async def listed(database: Database) -> dict[str, list[int]]:
    """Give the ids that are listed as drifted, by projection."""
    return {name: [one.id for one in known.findings] for name, known in (await checks.find_all(database)).items()}


async def test_where_nothing_has_drifted_nothing_is_said_and_nothing_but_that_is_written(database: Database) -> None:
    position = await fill(database)
    before = await everything(database)
    assert await steps(await begun(database), 3) == []
    known = await checks.find_all(database)
    assert {name: (one.position, one.findings, one.more) for name, one in known.items()} == {
        projection.name: (position, [], False) for projection in PROJECTIONS
    }
    after = await everything(database)
    assert {name for name in after if after[name] != before[name]} == {"checks"}


async def test_whatever_drifts_is_found_once_and_said_to_be_right_when_it_is(database: Database) -> None:
    await fill(database)
    check = await begun(database)
    assert await check.step() == []
    for name in ("items", "activity", "item_versions"):
        await execute(database, f"CREATE TABLE kept AS SELECT * FROM {name}")
        for tampering, key, column in TAMPERINGS[name]:
            await execute(database, tampering)
            (news,) = await steps(check, 3)
            assert (news.projection, news.kind) == (name, "drifted"), tampering
            assert news.finding, tampering
            assert [value.column for value in news.finding.values] == [column], tampering
            assert news.finding.id == key or key is None, tampering
            assert (await checks.find_all(database))[name].findings == [news.finding], tampering
            await execute(database, f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM kept")
            assert told(await steps(check, 2)) == [(name, "right", news.finding.id)], tampering
            assert (await listed(database))[name] == []
        await execute(database, "DROP TABLE kept")


async def test_the_rows_of_a_long_log_are_all_looked_at(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(20261123)
    monkeypatch.setattr("projections.sampling.STEP", 20)
    alive = []
    async with writing(database) as writer:
        for _ in range(15):
            recorded = await writer.submit(*[CreateItem("Pen", Decimal(1))] * 10, metadata=metadata())
            alive += [item_id for item_id, _ in recorded.items]
            for item_id in chance.sample(alive, 10):
                await writer.submit(ChangeItem(item_id, price=Decimal(chance.randrange(9999))), metadata=metadata())
            await writer.submit(DeleteItem(alive.pop(chance.randrange(len(alive)))), metadata=metadata())
    (log_position,) = {one.position for one in await database.read(text("SELECT position FROM projections"))}
    drifted = sorted(chance.sample(alive, 12))
    for item_id in drifted[::2]:
        await execute(database, f"UPDATE items SET price = price + 1 WHERE id = {item_id}")
    for item_id in drifted[1::2]:
        await execute(database, f"DELETE FROM items WHERE id = {item_id}")
    for alien in (-(2**62), -1, 0, log_position + 1, 2**62):
        await execute(database, f"{ADDED} ({alien}, 'Ink', 1, TRUE, 1, 'ink')")
    check = await begun(database)
    news = await steps(check, log_position // 20 + 1)  # one round
    expected = sorted([*drifted, -(2**62), -1, 0, log_position + 1, 2**62])
    assert sorted(told(news)) == [("items", "drifted", item_id) for item_id in expected]
    assert await steps(check, log_position // 20 + 1) == []  # another says nothing new


async def test_another_process_goes_on_where_one_has_stopped(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.sampling.STEP", 2)
    await fill(database)
    await execute(database, f"UPDATE items SET price = 1 WHERE id = {LONG}")
    assert told(await steps(await begun(database), 1)) == [("items", "drifted", LONG)]
    other = await begun(database)
    assert (await checks.find_all(database))["items"].position == 2
    assert await other.step() == []  # it was said
    assert (await checks.find_all(database))["items"].position == 4
    await mend(database, ITEMS, LONG)
    assert told(await other.step()) == [("items", "right", LONG)]


async def test_of_many_rows_some_are_named_and_a_rebuild_makes_all_right(database: Database) -> None:
    async with writing(database) as writer:
        for _ in range(50):
            await create(writer)
    await execute(database, "UPDATE items SET price = price + 1")
    check = await begun(database)
    news = told(await steps(check, 3))
    assert news == [*(("items", "drifted", item_id) for item_id in range(1, 21)), ("items", "more", None)]
    known = (await checks.find_all(database))["items"]
    assert (len(known.findings), known.more) == (20, True)
    await rebuild(database, ITEMS, Options())
    assert told(await steps(check, 2)) == [("items", "right", item_id) for item_id in range(1, 21)]
    known = (await checks.find_all(database))["items"]
    assert (known.findings, known.more) == ([], False)


async def test_an_item_of_too_many_events_is_checked_from_its_newest_snapshot(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.sampling._WHOLE", 10)
    await fill(database)
    check = await begun(database)
    assert await check.step() == []
    await execute(database, f"UPDATE items SET version = 7 WHERE id = {LONG}")
    assert told(await check.step()) == [("items", "drifted", LONG)]


async def test_what_differs_now_is_what_is_shown(database: Database) -> None:
    await fill(database)
    check = await begun(database)
    await execute(database, f"UPDATE items SET name = 'Pan' WHERE id = {LONG}")
    ((first),) = await check.step()
    await execute(database, f"UPDATE items SET name = 'Pin' WHERE id = {LONG}")
    assert await check.step() == []
    (finding,) = (await checks.find_all(database))["items"].findings
    assert [value.live for value in finding.values] == ["Pin"]
    assert first.finding
    assert finding.found_at == first.finding.found_at


@pytest.mark.parametrize(
    "unfit",
    [
        "UPDATE projections SET version = 1 WHERE name = 'items'",
        "UPDATE projections SET version = 9 WHERE name = 'items'",
        "UPDATE projections SET position = position - 1 WHERE name = 'items'",
        "DELETE FROM projections WHERE name = 'items'",
    ],
)
async def test_a_table_that_this_code_does_not_keep_in_step_is_left_out(database: Database, unfit: str) -> None:
    await fill(database)
    await execute(database, "UPDATE items SET price = 1", unfit)
    assert await steps(await begun(database), 2) == []
    await execute(database, "DELETE FROM activity")
    assert [one[:2] for one in told(await steps(await begun(database), 2))] == [("activity", "drifted")]


async def test_a_table_of_too_many_rows_is_not_kept_in_memory(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.sampling._KEPT", 0)
    await fill(database)
    await execute(database, "DELETE FROM activity")
    assert await steps(await begun(database), 3) == []


async def test_while_others_write_there_is_no_false_alarm(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.sampling.STEP", 50)
    await fill(database)
    check, going = await begun(database), True
    async with writing(database) as writer, asyncio.TaskGroup() as others:
        for _ in range(4):
            others.create_task(churn(writer, lambda: going))
        try:
            for number in range(60):
                if number % 10 == 9:  # a table takes the place of another meanwhile
                    others.create_task(rebuild(database, PROJECTIONS[0], Options()))
                assert await check.step() == []
                await create(writer)
        finally:
            going = False
    async with asyncio.timeout(300):  # days are compared once the whole log is folded
        while (await positions(database))["activity"] < (await positions(database))["items"]:
            assert await check.step() == []


async def positions(database: Database) -> dict[str, int]:
    return {name: known.position for name, known in (await checks.find_all(database)).items()}


async def test_a_table_that_has_just_taken_the_place_of_another_is_not_seen_empty(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database)
    check = await begun(database)
    replaced = replacing(monkeypatch, database_url)
    assert await check.step() == []
    assert replaced == [projection.name for projection in PROJECTIONS]
