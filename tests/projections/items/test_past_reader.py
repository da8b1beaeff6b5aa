"""Past lists: at every position, in every order and with any filter they have the items of then, page by page."""

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored
from projections.items import past_reader
from projections.items.items import ItemView, fold_name
from projections.items.lists import Filter, Order, PageKey
from projections.items.past_reader import PastItemReader
from tests.eventstore.recording import ProposedEvent, proposed, record
from tests.projections.items.planning import ORDERS
from tests.support.fold import assert_log_and_projection_agree, fold_of_log

NAMES = ["Pen", "pen", "Ink", "\uffee", "\U0001f58b", "100%"]
FILTERS = [
    Filter(),
    Filter(in_stock=True),
    Filter(min_price=-5_000),
    Filter(max_price=5_000, name="N"),
    Filter(False, -15_000, 15_000, "e"),
    Filter(name="no such name"),
]


def wandering(seed: int, length: int) -> list[ProposedEvent]:
    """Create, change, delete and restore items at random, some of them much more often than others."""
    chance, versions = random.Random(seed), dict[int, int]()
    event: Event
    alive, gone, history = list[int](), list[int](), list[ProposedEvent]()
    for position in range(1, length + 1):
        drawn = chance.random()
        name, price, in_stock = chance.choice(NAMES), Decimal(chance.randrange(-3, 4)) / 2, chance.random() < 0.5
        if not alive or drawn < 0.25:
            alive.append(position)
            item_id, event = position, ItemCreated(name, price, in_stock)
        elif drawn < 0.75:
            item_id = alive[int(len(alive) * chance.random() ** 3)]
            event = chance.choice([ItemChanged(name=name), ItemChanged(price=price), ItemChanged(in_stock=in_stock)])
        elif drawn < 0.9 or not gone:
            item_id, event = alive.pop(chance.randrange(len(alive))), ItemDeleted()
            gone.append(item_id)
        else:
            item_id, event = gone.pop(chance.randrange(len(gone))), ItemRestored()
            alive.append(item_id)
        versions[item_id] = versions.get(item_id, 0) + 1
        history.append(proposed(item_id, versions[item_id], event))
    return history


def fits(item: Mapping[str, Any], wanted: Filter) -> bool:
    return (
        wanted.in_stock in (None, item["in_stock"])
        and (wanted.min_price is None or wanted.min_price <= item["price"])
        and (wanted.max_price is None or item["price"] <= wanted.max_price)
        and (wanted.name is None or fold_name(wanted.name) in fold_name(item["name"]))
    )


def expected(items: Mapping[int, Mapping[str, Any]], wanted: Filter, order: Order) -> list[ItemView]:
    found = [ItemView(**item) for item in items.values() if fits(item, wanted)]
    return sorted(found, key=lambda view: (getattr(view, order.by), view.id), reverse=order.descending)


async def items_at_every_position(database: Database, length: int) -> list[dict[int, dict[str, Any]]]:
    def fold(connection: Connection) -> list[dict[int, dict[str, Any]]]:
        with connection.begin():
            return [fold_of_log(connection, upto=position) for position in range(length + 1)]

    return await database.write(fold)


async def walk(reader: PastItemReader, position: int, wanted: Filter, order: Order, limit: int) -> list[ItemView]:
    walked: list[ItemView] = []
    after: PageKey | None = None
    for _ in range(1000):
        page = await reader.page(position, wanted, order, after, limit)
        assert page is not None
        assert page.position == position
        assert len(page.items) <= limit
        walked += page.items
        if page.next is None:
            return walked
        after = page.next
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("scan", [3, 4_000])
async def test_a_list_has_the_items_of_every_position(
    database: Database, monkeypatch: pytest.MonkeyPatch, scan: int
) -> None:
    monkeypatch.setattr(past_reader, "SCAN_ROWS", scan)
    length, chance = 120, random.Random(scan)
    history = wandering(seed=scan, length=length)
    for start in range(0, length, 7):
        await record(database, history[start : start + 7])
    await assert_log_and_projection_agree(database)
    reader = PastItemReader(database)
    past = await items_at_every_position(database, length)
    for position in range(0, length + 1, 4):
        for order in ORDERS:
            wanted = chance.choice(FILTERS)
            limit = chance.choice([1, 2, 5, 100])
            found = await walk(reader, position, wanted, order, limit)
            assert found == expected(past[position], wanted, order), (position, order, wanted, limit)
