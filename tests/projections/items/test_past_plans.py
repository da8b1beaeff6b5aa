"""The cost of past lists in a long log: checks the plan of every query, and counts its work.

The log has 10,000 items, each changed once; `ITEMLEDGER_TEST_SCALE=50` makes it 500,000, and 1,000,000 events.
"""

from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection

from eventstore.database.bulk import bulk_insert
from eventstore.database.database import Database
from projections.items import past_reader
from projections.items.intervals import node_of
from projections.items.item_versions import item_versions
from projections.items.lists import Filter, Order
from projections.items.past_reader import PastItemReader
from tests.eventstore.recording import opened
from tests.projections.items.planning import LIMIT, ORDERS, SERIES, assert_planned, filled, insert_items
from tests.support import plans
from tests.support.scale import SCALE

ITEMS = 10_000 * SCALE
SCAN_ROWS = 500

# Item i is created at position i and changed at ITEMS + i.
_EVENTS = (
    "i, CASE WHEN i > {n} THEN i - {n} ELSE i END, CASE WHEN i > {n} THEN 2 ELSE 1 END, 'item.changed.v1', '{{}}', i, "
)
_EVENTS += "'a', 'command ' || i, 0, {bytes}, {bytes}"
_INTO_EVENTS = "INSERT INTO events (position, item_id, version, type, data, recorded_at, actor, command_id, ordinal, "
_INTO_EVENTS += "fingerprint, leaf_hash)"
_BYTES = {"sqlite": "zeroblob(32)", "postgresql": "sha256($$$$)"}

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
#: Indexes for look-ups besides: the event of an item's version, and the row at which a scan ends.
LOOK_UPS = {"uq_events_item_id_version", "pk_item_versions", "pk_projections"}


def _fill(connection: Connection) -> None:
    kind = connection.dialect.name
    events = f"{_INTO_EVENTS} SELECT {_EVENTS.format(n=ITEMS, bytes=_BYTES[kind])} FROM {SERIES[kind]}"
    connection.exec_driver_sql(events.replace("{n}", str(2 * ITEMS)))
    connection.exec_driver_sql(insert_items(kind, ITEMS, version=2))
    bulk_insert(connection, item_versions, [_first_version(item_id) for item_id in range(1, ITEMS + 1)])


def _first_version(item_id: int) -> dict[str, Any]:
    changed_at = ITEMS + item_id
    return {
        "valid_to": changed_at,
        "valid_from": item_id,
        "node": node_of(item_id, changed_at - 1),
        "id": item_id,
        "name": f"Pen {item_id % 9}",
        "price": item_id // 9 % 10 * 10_000,
        "in_stock": item_id % 2 == 0,
        "version": 1,
        "name_folded": f"pen {item_id % 9}",
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def long_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of either kind with a long history."""
    yield from filled(request, _fill)


@pytest.fixture
async def long(long_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(past_reader, "SCAN_ROWS", SCAN_ROWS)
    async with opened(long_url) as database:
        yield database


async def ask(database: Database) -> list[tuple[Order, plans.Sent]]:
    """Read a first and a second page of every list; return the statements that were sent."""
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
    # Each statement once, with its last parameters: there are as many plans as there are statements.
    queries = {sent[0]: (order, sent) for order, sent in await ask(long)}.values()
    tables = ("items", "item_versions", "events")
    await assert_planned(long, [(query, query[1]) for query in queries], _check_tree, _check_rows, *tables)


def _check_tree(query: tuple[Order, plans.Sent], tree: dict[str, Any]) -> None:
    order, _ = query
    scans = [node for node in plans.nodes(tree) if node.get("Relation Name", "log_head") != "log_head"]
    used = {scan.get("Index Name") for scan in scans}
    assert used <= INDEXES[order.by] | LOOK_UPS, (query, tree)
    assert used & INDEXES[order.by], (query, tree)
    for scan in scans:
        assert scan["Node Type"].startswith("Index"), (query, tree)
        if scan["Relation Name"] == "item_versions":
            assert scan["Index Cond"], (query, tree)


def _check_rows(query: tuple[Order, plans.Sent], plan: Any) -> None:
    order, _ = query
    details = [detail for _, _, _, detail in plan]
    for detail in details:
        if detail.startswith("SCAN items"):  # from the start of an order that the table or its index is in
            assert order.by == "id" or INDEXES[order.by] & set(detail.split()), (query, details)
        assert not detail.startswith(("SCAN item_versions", "SCAN events", "SCAN projections")), (query, details)
    assert any("ix_item_versions_node" in detail and "(node=?" in detail for detail in details), (query, details)


@pytest.mark.parametrize("descending", [False, True])
async def test_in_the_order_of_ids_no_later_item_is_scanned(long: Database, descending: bool) -> None:
    for position in POSITIONS:
        page = await PastItemReader(long).page(position, Filter(), Order("id", descending), None, LIMIT)
        assert page is not None
        newest = min(position, ITEMS)
        assert [item.id for item in page.items] == list(
            range(newest, newest - LIMIT, -1) if descending else range(1, LIMIT + 1)
        )


#: The most that one scanned row costs, in `items` and in each node that has rows.
PER_ROW = {"rows": 1.0, "blocks": 4.0, "steps": 60.0}
BESIDE = {"rows": 1_000, "blocks": 2_000, "steps": 40_000}


async def test_a_page_scans_a_bounded_number_of_rows_whatever_it_finds(long: Database) -> None:
    nodes = ITEMS.bit_length() + 1
    for order, sent in await ask(long):
        for measure, count in (await plans.work(long, sent, "item_versions")).items():
            assert count <= PER_ROW[measure] * SCAN_ROWS * nodes + BESIDE[measure], (measure, count, order, sent)
