"""One item, or a page of items, each with its log position."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import event

from eventstore.database.database import Database
from eventstore.database.lookups import Rows
from eventstore.database.prepared import Prepared
from eventstore.events import ItemDeleted
from projections.items import reader as item_reader
from projections.items.items import ITEMS, ItemView
from projections.items.lists import Filter, Order, Page, PageKey
from projections.items.reader import FoundItem, ItemReader
from tests.eventstore.recording import changed, created, proposed, record


def pen(item_id: int) -> ItemView:
    return ItemView(item_id, "Pen", 15_000, True, 1)


@pytest.fixture
def reader(database: Database) -> ItemReader:
    return ItemReader(database)


@pytest.fixture
def queries(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that the read engine and look-ups run."""
    ran: list[str] = []
    look_up = database.look_up

    async def noted(statement: Prepared, parameters: Mapping[str, object]) -> Rows:
        ran.append(statement.text)
        return await look_up(statement, parameters)

    monkeypatch.setattr(database, "look_up", noted)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        ran.append(statement)

    event.listen(database.reader.sync_engine, "before_cursor_execute", note)
    yield ran
    event.remove(database.reader.sync_engine, "before_cursor_execute", note)


def found(position: int, item: ItemView | None) -> FoundItem:
    return FoundItem(position, ITEMS.version, item)


async def test_an_item_is_returned_with_the_position(database: Database, reader: ItemReader) -> None:
    assert await reader.get(1) == found(0, None)
    await record(database, [created(1), created(2), changed(2, 2)])
    assert await reader.get(1) == found(3, pen(1))
    assert await reader.get(2) == found(3, ItemView(2, "Pen", 20_000, True, 2))
    assert await reader.get(3) == found(3, None)
    await record(database, [proposed(1, 2, ItemDeleted())])
    assert await reader.get(1) == found(4, None)


@pytest.mark.parametrize("item_id", [0, -1, 2**63 - 1, -(2**63)])
async def test_an_id_that_was_never_assigned_finds_nothing(
    database: Database, reader: ItemReader, item_id: int
) -> None:
    await record(database, [created(1)])
    assert await reader.get(item_id) == found(1, None)


async def page(reader: ItemReader, after: int, limit: int) -> Page:
    return await reader.page(Filter(), Order(), PageKey(None, after), limit)


async def test_pages_follow_each_other_by_id(database: Database, reader: ItemReader) -> None:
    assert await page(reader, 0, 10) == Page(0, [], None)
    await record(database, [*[created(position) for position in range(1, 8)], proposed(4, 2, ItemDeleted())])
    assert await page(reader, 0, 3) == Page(8, [pen(1), pen(2), pen(3)], PageKey(None, 3))
    assert await page(reader, 3, 3) == Page(8, [pen(5), pen(6), pen(7)], None)
    assert await page(reader, 7, 3) == Page(8, [], None)
    assert await page(reader, 0, 1000) == Page(8, [pen(item_id) for item_id in (1, 2, 3, 5, 6, 7)], None)
    assert await page(reader, 2**63 - 1, 3) == Page(8, [], None)


async def test_a_delete_while_a_page_is_read_makes_it_skip_no_other_item(
    database: Database, reader: ItemReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(database, [created(position) for position in range(1, 8)])
    monkeypatch.setattr(item_reader, "SCAN_ROWS", 3)
    item_reader._scan_end.cache_clear()
    read, reads = database.read, 0

    async def reading(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 2:
            await record(database, [proposed(2, 2, ItemDeleted())])
        return await read(*arguments)

    monkeypatch.setattr(database, "read", reading)
    seen: list[int] = []
    after: PageKey | None = None
    while after or not reads:
        part = await reader.page(Filter(in_stock=True), Order(), after, 10)
        seen += [item.id for item in part.items]
        after = part.next
    item_reader._scan_end.cache_clear()
    assert set(seen) - {2} == {1, 3, 4, 5, 6, 7}
    assert len(seen) == len(set(seen))


async def test_concurrent_reads_share_queries_and_none_reads_the_log(
    database: Database, reader: ItemReader, queries: list[str]
) -> None:
    await record(database, [created(position) for position in range(1, 301)])
    asked = [number % 310 for number in range(1000)]
    answers = await asyncio.gather(*[reader.get(item_id) for item_id in asked])
    assert answers == [found(300, pen(item_id) if 1 <= item_id <= 300 else None) for item_id in asked]
    await page(reader, 0, 100)
    of_items = [query for query in queries if "items" in query]
    assert len(of_items) == 3  # 310 keys are two look-ups of at most 256, and the page
    assert not [query for query in queries if "events" in query or "log_t" in query]


async def test_a_read_sees_every_earlier_commit(database: Database, reader: ItemReader) -> None:
    async def watch() -> None:
        for _ in range(50):
            await reader.get(1)

    watching = [asyncio.create_task(watch()) for _ in range(4)]
    for position in range(1, 21):
        await record(database, [created(position)])
        seen, _, item = await reader.get(position)
        assert seen >= position
        assert item == pen(position)
    await asyncio.gather(*watching)
