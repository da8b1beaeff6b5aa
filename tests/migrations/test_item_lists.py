"""The third step replaces the table of items, which is full: every row is carried over, there and back."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

import migrations
from eventstore.events import ItemCreated, ItemDeleted
from eventstore.log import log
from tests.eventstore.recording import opened, proposed
from tests.support.fold import assert_log_and_projection_agree, fold_of_log, stored_items
from tests.support.service import InProcess

# More than two portions and a bit, and every seventh is deleted, so that ids have gaps.
ITEMS = 2_500
DELETED = range(7, ITEMS + 1, 7)
_NAMES = [
    "Pen",
    "plain",
    "GROSSE STRAßE",
    "İstanbul ☕",
    "Ω'; DROP TABLE items --",
    "100% \\_",
    "ﬁne  Nib \U0001f58a",
    "x" * 255,
]
_INSERT = text(
    "INSERT INTO items (id, name, price, in_stock, version) VALUES (:id, :name, :price, :in_stock, :version)"
)
_ROWS = text("SELECT id, name, name_folded FROM items")
_CHECKPOINT = text("SELECT name, version, position FROM projections")
_COLUMNS_BEFORE = ("id", "name", "price", "in_stock", "version")


def fill(connection: Connection) -> dict[int, dict[str, Any]]:
    """Fill a database of an earlier revision, as that version of the service would have; give its items."""
    births = [
        proposed(position, 1, ItemCreated(_NAMES[position % len(_NAMES)], Decimal(position - 99) / 8, position % 3 > 0))
        for position in range(1, ITEMS + 1)
    ]
    deaths = [proposed(item_id, 2, ItemDeleted()) for item_id in DELETED]
    with connection.begin():
        head, _ = log.append(connection, log.lock_head(connection), [*births, *deaths], 1)
        rows = fold_of_log(connection)
        connection.execute(_INSERT, list(rows.values()))
        connection.execute(text("UPDATE projections SET position = :position"), {"position": head.position})
    return rows


def stored(connection: Connection) -> dict[int, dict[str, Any]]:
    with connection.begin():
        return stored_items(connection)


@pytest.mark.parametrize("revision", ["0001", "0002"])
async def test_every_item_is_carried_to_the_table_that_lists_are_read_from_and_back(
    empty_url: str, revision: str
) -> None:
    async with opened(empty_url) as database:
        await database.write(lambda connection: migrations.upgrade(connection, revision))
        before = await database.write(fill)
        assert len(before) == ITEMS - len(DELETED)
        assert [tuple(row) for row in await database.read(_CHECKPOINT)] == [("items", 1, ITEMS + len(DELETED))]

        for _ in range(2):
            await database.write(migrations.upgrade)
            assert await database.write(stored) == before
            folded = {row.id: row.name_folded for row in await database.read(_ROWS)}
            assert folded == {item_id: item["name"].casefold() for item_id, item in before.items()}
            assert [tuple(row) for row in await database.read(_CHECKPOINT)] == [("items", 2, ITEMS + len(DELETED))]

            await database.write(lambda connection: migrations.downgrade(connection, revision))
            assert await database.write(migrations.current) == revision
            assert await database.write(stored) == before
            (row, *_) = await database.read(text("SELECT * FROM items"))
            assert row._fields == _COLUMNS_BEFORE
            assert [tuple(row) for row in await database.read(_CHECKPOINT)] == [("items", 1, ITEMS + len(DELETED))]
    await _assert_serves(empty_url, before)


async def _assert_serves(empty_url: str, before: dict[int, dict[str, Any]]) -> None:
    """Fail unless the service, which brings the schema to head, knows the items and can write them."""
    async with InProcess.over(empty_url) as service:
        client = service.client
        found = (await client.get("/items", params={"name": "STRASSE", "sort": "-price", "limit": 1000})).json()
        of_that_name = [item for item in before.values() if "strasse" in item["name"].casefold()]
        assert [item["id"] for item in found] == [
            item["id"] for item in sorted(of_that_name, key=lambda item: (-item["price"], -item["id"]))
        ]
        assert (await client.patch("/items/1", json={"name": "Renamed"})).headers["etag"] == '"2.2"'
        restored = (await client.post(f"/items/{DELETED[0]}/restore")).json()
        assert (restored["id"], restored["name"]) == (DELETED[0], _NAMES[DELETED[0] % len(_NAMES)])
        assert (await client.delete("/items/2")).status_code == 204
        assert [item["id"] for item in (await client.get("/items", params={"name": "renamed"})).json()] == [1]
        await assert_log_and_projection_agree(service.services.database)
