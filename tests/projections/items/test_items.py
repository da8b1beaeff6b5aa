"""From events to rows of `items`: see test_contract.py for what holds for every projection."""

from decimal import Decimal

from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.events import ItemCreated, ItemDeleted, ItemRestored
from projections.items.items import ITEMS, items
from tests.eventstore.recording import append, changed, created, proposed
from tests.projections.transactions import apply, rolled_back
from tests.support.fold import stored_items


async def test_an_item_created_and_deleted_in_one_run_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        recorded = append(connection, [created(1), created(2), changed(1, 2), proposed(1, 3, ItemDeleted())])
        changes = apply(connection, ITEMS, items, recorded)
        assert set(changes.insert) == {2}
        assert not changes.replace
        assert not changes.delete
        assert stored_items(connection).keys() == {2}

    await rolled_back(database, work)


async def test_a_restored_item_has_its_last_state(database: Database) -> None:
    def work(connection: Connection) -> None:
        apply(connection, ITEMS, items, append(connection, [created(1, "Pen"), changed(1, 2)]))
        before = stored_items(connection)[1]
        apply(connection, ITEMS, items, append(connection, [proposed(1, 3, ItemDeleted())]))
        assert stored_items(connection) == {}
        apply(connection, ITEMS, items, append(connection, [proposed(1, 4, ItemRestored()), created(5)]))
        assert stored_items(connection)[1] == before | {"version": 4}

    await rolled_back(database, work)


async def test_a_price_is_stored_to_the_last_digit(database: Database) -> None:
    prices = {
        "0": 0,
        "-0.0001": -1,
        "99999999999999.9999": 10**18 - 1,
        "-99999999999999.9999": 1 - 10**18,
        "100": 10**6,
    }

    def work(connection: Connection) -> None:
        events = [
            proposed(position, 1, ItemCreated("Pen", Decimal(price), True)) for position, price in enumerate(prices, 1)
        ]
        apply(connection, ITEMS, items, append(connection, events))
        assert [row["price"] for _, row in sorted(stored_items(connection).items())] == list(prices.values())

    await rolled_back(database, work)
