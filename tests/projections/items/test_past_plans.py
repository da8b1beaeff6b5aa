"""What lists of the past cost in a long log: the plan of every query is shown, and the work that it does is counted.

There are 10,000 items that were changed once; `ITEMLEDGER_TEST_SCALE=50` makes it 500,000, and 1,000,000 events.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import product
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.database.dialect import bulk_insert
from projections.items import past_reader
from projections.items.intervals import node_of
from projections.items.item_versions import item_versions
from projections.items.lists import Filter, Order
from projections.items.past_reader import PastItemReader
from tests.eventstore.recording import opened
from tests.projections.items.test_item_plans import ORDERS
from tests.support import plans
from tests.support.postgres import PostgresServer
from tests.support.scale import SCALE

ITEMS = 10_000 * SCALE
LIMIT = 100
SCAN = 500

# Item i began at position i and was changed at ITEMS + i. Many share a name, or a price.
_EVENTS = (
    "i, CASE WHEN i > {n} THEN i - {n} ELSE i END, CASE WHEN i > {n} THEN 2 ELSE 1 END, 'item.changed.v1', '{{}}', i, "
)
_EVENTS += "'a', 'command ' || i, 0, {bytes}, {bytes}"
_INTO_EVENTS = "INSERT INTO events (position, item_id, version, type, data, recorded_at, actor, command_id, ordinal, "
_INTO_EVENTS += "fingerprint, leaf_hash)"
_ITEMS = "i, 'Pen ' || (i % 10), i / 10 % 10 * 10000, (i / 100 % 2) {boolean}, 2, 'pen ' || (i % 10)"
_INTO_ITEMS = "INSERT INTO items (id, name, price, in_stock, version, name_folded)"
_SERIES = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n}) SELECT i FROM n)",
    "postgresql": "(SELECT i FROM generate_series(1, {n}) AS n(i)) AS n",
}
_BYTES = {"sqlite": "zeroblob(32)", "postgresql": "sha256($$$$)"}
_BOOLEAN = {"sqlite": "", "postgresql": "= 1"}

FILTERS = [
    Filter(),
    Filter(in_stock=True),
    Filter(name="PEN 3", min_price=20_000, max_price=50_000),
    Filter(name="ink"),
]
POSITIONS = [2 * ITEMS, 2 * ITEMS - 1, ITEMS + ITEMS // 3, ITEMS, ITEMS // 3]
INDEXES = {
    "id": {"pk_items", "ix_item_versions_node_id"},
    "name": {"ix_items_name_id", "ix_item_versions_node_name_id"},
    "price": {"ix_items_price_id", "ix_item_versions_node_price_id"},
}
#: Beside these: by which event an item came to a version, and the row at which a look ends.
LOOK_UPS = {"uq_events_item_id_version", "pk_item_versions", "pk_projections"}


def _fill(connection: Connection) -> None:
    kind = connection.dialect.name
    events = f"{_INTO_EVENTS} SELECT {_EVENTS} FROM {_SERIES[kind]}"
    items = f"{_INTO_ITEMS} SELECT {_ITEMS} FROM {_SERIES[kind]}"
    connection.exec_driver_sql(events.replace("{n}", str(ITEMS), 3).format(n=2 * ITEMS, bytes=_BYTES[kind]))
    connection.exec_driver_sql(items.format(n=ITEMS, boolean=_BOOLEAN[kind]))
    bulk_insert(connection, item_versions, [_former(item_id) for item_id in range(1, ITEMS + 1)])


def _former(item_id: int) -> dict[str, Any]:
    ended = ITEMS + item_id
    return {
        "ended": ended,
        "began": item_id,
        "node": node_of(item_id, ended - 1),
        "id": item_id,
        "name": f"Pen {item_id % 9}",
        "price": item_id // 9 % 10 * 10_000,
        "in_stock": item_id % 2 == 0,
        "version": 1,
        "name_folded": f"pen {item_id % 9}",
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def long_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of either kind in which much is past."""
    with TemporaryDirectory() as directory:
        if request.param == "sqlite":
            url = f"sqlite+aiosqlite:///{directory}/itemledger.db"
            asyncio.run(plans.fill(url, _fill))
            yield url
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.create_database()
            asyncio.run(plans.fill(url, _fill))
            yield url
            server.drop_database(url)


@pytest.fixture
async def long(long_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(past_reader, "SCAN", SCAN)
    async with opened(long_url) as database:
        yield database


async def ask(database: Database) -> list[tuple[Order, plans.Sent]]:
    """Ask for a first and a second page of every list; give the statements that this took."""
    reader, asked = PastItemReader(database), []
    with plans.statements(database) as ran:
        for position, order, wanted in product(POSITIONS, ORDERS, FILTERS):
            first = await reader.page(position, wanted, order, None, LIMIT)
            assert first is not None
            assert first.next is not None or order.by == "id"
            if first.next is not None:
                await reader.page(position, wanted, order, first.next, LIMIT)
            asked += [(order, sent) for sent in ran]
            ran.clear()
    return asked


async def test_every_list_follows_the_indexes_of_its_order_whatever_the_planner_knows(long: Database) -> None:
    # Each statement once, with what it was last asked with: there are as many plans as there are statements.
    asked = [(order, sent) for order, sent in {sent[0]: (order, sent) for order, sent in await ask(long)}.values()]
    for known in (False, True):
        if known and plans.is_postgres(long):
            for table in ("items", "item_versions", "events"):
                await plans.analyze(long, table)  # until now it may have had no statistics
        for order, sent in asked:
            if plans.is_postgres(long):
                for tree in await plans.trees(long, sent):
                    _check_tree(order, sent, tree)
            else:
                _check_rows(order, sent, await plans.rows(long, sent))


def _check_tree(order: Order, sent: plans.Sent, tree: dict[str, Any]) -> None:
    scans = [node for node in plans.nodes(tree) if "Relation Name" in node]
    used = {scan.get("Index Name") for scan in scans}
    assert used <= INDEXES[order.by] | LOOK_UPS, (sent, tree)
    assert used & INDEXES[order.by], (sent, tree)
    for scan in scans:
        assert scan["Node Type"].startswith("Index"), (sent, tree)
        if scan["Relation Name"] == "item_versions":
            assert scan["Index Cond"], (sent, tree)


def _check_rows(order: Order, sent: plans.Sent, plan: Any) -> None:
    details = [detail for _, _, _, detail in plan]
    for detail in details:
        if detail.startswith("SCAN items"):  # from the beginning of the order that it is in anyway
            assert order.by == "id" or INDEXES[order.by] & set(detail.split()), (sent, details)
        assert not detail.startswith(("SCAN item_versions", "SCAN events", "SCAN projections")), (sent, details)
    assert any("ix_item_versions_node" in detail and "(node=?" in detail for detail in details), (sent, details)


@pytest.mark.parametrize("descending", [False, True])
async def test_in_the_order_of_ids_no_item_that_came_later_is_passed_over(long: Database, descending: bool) -> None:
    for position in POSITIONS:
        page = await PastItemReader(long).page(position, Filter(), Order("id", descending), None, LIMIT)
        assert page is not None
        newest = min(position, ITEMS)
        assert [item.id for item in page.items] == list(
            range(newest, newest - LIMIT, -1) if descending else range(1, LIMIT + 1)
        )


#: A row that is looked at costs at most so much of each: in `items` and in each node that has rows.
PER_ROW = {"rows": 1.0, "blocks": 4.0, "steps": 60.0}
BESIDE = {"rows": 1_000, "blocks": 2_000, "steps": 40_000}


async def test_a_page_looks_at_a_bounded_number_of_rows_whatever_it_finds(long: Database) -> None:
    nodes = ITEMS.bit_length() + 1
    for order, sent in await ask(long):
        for measure, count in (await plans.work(long, sent, "item_versions")).items():
            assert count <= PER_ROW[measure] * SCAN * nodes + BESIDE[measure], (measure, count, order, sent)
