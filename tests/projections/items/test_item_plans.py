"""The cost of lists at a million items: checks the plan of every query, and counts its work."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from msgspec import Struct

from eventstore.database.database import Database
from projections.items.lists import Filter, Order, Page, PageKey
from projections.items.reader import SCAN_ROWS, ItemReader
from tests.eventstore.recording import opened
from tests.projections.items.planning import LIMIT, ORDERS, SERIES, assert_planned, filled, insert_items
from tests.support import plans

ITEMS = 1_000_000

FILTERS = [
    Filter(in_stock, min_price, max_price, name)
    for in_stock, min_price, max_price, name in product((None, True), (None, 20_000), (None, 70_000), (None, "PEN"))
]
#: No item has this name, or this price between the existing ones, or both.
EMPTY = [Filter(name="ink"), Filter(min_price=25_000, max_price=25_000), Filter(True, 5_000, 9_000, "pen 3")]
#: A key in the middle of the items that have this name, or this price.
DEEP = {
    order: {"id": PageKey(None, 500_000), "name": PageKey("Pen 5", 500_005), "price": PageKey(50_000, 500_055)}[
        order.by
    ]
    for order in ORDERS
}
#: The key behind which a second page begins.
EARLY = {
    order: {
        "id": PageKey(None, ITEMS - 100 if order.descending else 100),
        "name": PageKey("Pen 9", ITEMS - 1_000) if order.descending else PageKey("Pen 0", 1_000),
        "price": PageKey(90_000, ITEMS - 1_000) if order.descending else PageKey(0, 1_000),
    }[order.by]
    for order in ORDERS
}
INDEXES = {"id": "pk_items", "name": "ix_items_name_id", "price": "ix_items_price_id"}


class Query(Struct, frozen=True):
    """A statement as it was sent, and the list that it is for."""

    order: Order
    wanted: Filter
    after: PageKey | None
    statement: str
    parameters: Any

    @property
    def sent(self) -> plans.Sent:
        return self.statement, self.parameters


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def million_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of either kind with a million items."""
    yield from filled(request, plans.by_sql({kind: insert_items(kind, ITEMS, version=1) for kind in SERIES}))


@pytest.fixture
async def million(million_url: str) -> AsyncIterator[Database]:
    async with opened(million_url) as database:
        yield database


async def ask(
    database: Database, filters: Iterable[Filter], places: Mapping[Order, PageKey]
) -> list[tuple[Page, list[Query]]]:
    """Read a page in every order with each filter; return each with the statements that were sent."""
    reader = ItemReader(database)
    asked = []
    with plans.statements(database) as ran:
        for order, wanted in product(ORDERS, filters):
            ran.clear()
            page = await reader.page(wanted, order, after := places.get(order), LIMIT)
            asked.append((page, [Query(order, wanted, after, *sent) for sent in ran]))
    return asked


def _check_tree(query: Query, plan: dict[str, Any]) -> None:
    nodes = list(plans.nodes(plan))
    (scan,) = (node for node in nodes if node.get("Relation Name") == "items")
    assert scan["Node Type"] in ("Index Scan", "Index Only Scan"), (query, plan)
    assert scan["Index Name"] == INDEXES[query.order.by], (query, plan)
    assert scan["Scan Direction"] == ("Backward" if query.order.descending else "Forward"), (query, plan)
    # Bounds must be index conditions, not filters on rows.
    condition, residual_filter = scan.get("Index Cond", ""), scan.get("Filter", "")
    assert _bounds(query) == sum(condition.count(sign) for sign in "<>"), (query, plan)
    assert "id" not in residual_filter, (query, plan)
    # Only the page itself may be sorted.
    assert [node for node in nodes if "Sort" in node["Node Type"]] == [plan] * ("log_head" in query.statement)


def _check_rows(query: Query, plan: Sequence[Any]) -> None:
    details = [detail for _, _, _, detail in plan]
    (scan,) = (detail for detail in details if " items" in detail)
    key = "id" if query.order.by == "id" else f"({query.order.by},id)"
    index = "PRIMARY KEY" if query.order.by == "id" else f"INDEX {INDEXES[query.order.by]}"
    if bounds := _bounds(query):
        # Bounds must be index conditions as a whole, not filters on rows.
        assert scan.startswith("SEARCH"), (query, details)
        assert index in scan, (query, details)
        assert bounds == scan.count(f"{key}<") + scan.count(f"{key}>"), (query, details)
    elif query.order.by != "id":  # otherwise the table itself is in the order of its key
        assert index in scan, (query, details)
    # Only the page itself may be sorted, at the outermost level.
    sorts = [parent for _, parent, _, detail in plan if "TEMP B-TREE" in detail]
    assert sorts == [0] * ("log_head" in query.statement), (query, details)


def _bounds(query: Query) -> int:
    """Count the bounds of the range that a query reads of its order."""
    inner = query.statement.partition("items \nWHERE ")[2].partition(" ORDER BY")[0]
    key = "items.id " if query.order.by == "id" else f"(items.{query.order.by}, items.id) "
    return inner.replace("(items.id) ", "items.id ").count(key)


async def test_every_list_follows_the_index_of_its_order_whatever_the_planner_knows(million: Database) -> None:
    queries = [
        query for places in ({}, DEEP) for _, ran in await ask(million, [*FILTERS, *EMPTY], places) for query in ran
    ]
    assert len(queries) > 2 * len(ORDERS) * len(FILTERS)
    await assert_planned(million, [(query, query.sent) for query in queries], _check_tree, _check_rows, "items")


#: The most that one scanned row costs.
PER_ROW = {"rows": 1.0, "blocks": 1.1, "steps": 30.0}
#: The most that a later page costs, relative to the first, which has no start key to compare rows with. On SQLite that
#: comparison takes some steps a row, where a row that is only counted takes two.
PER_FIRST = {"rows": 1.5, "blocks": 1.5, "steps": 5.0}


async def test_a_page_costs_the_same_wherever_it_begins(million: Database) -> None:
    pages = [await ask(million, FILTERS, places) for places in ({}, EARLY, DEEP)]
    for queried in zip(*pages, strict=True):
        assert [len(page.items) for page, _ in queried] == [LIMIT] * 3, queried
        for query in zip(*(ran for _, ran in queried), strict=True):
            first, second, deep = [await plans.work(million, one.sent, "items") for one in query]
            for measure, count in deep.items():
                assert count <= 1.5 * second[measure] + 16, (measure, query, second, deep)
                assert count <= PER_FIRST[measure] * first[measure] + 16, (measure, query, first, deep)
                assert count <= PER_ROW[measure] * SCAN_ROWS + 500, (measure, query, deep)


@pytest.mark.parametrize("places", [{}, DEEP], ids=["first", "deep"])
async def test_a_page_that_finds_nothing_scans_a_bounded_number_of_items(
    million: Database, places: Mapping[Order, PageKey]
) -> None:
    for page, ran in await ask(million, EMPTY, places):
        assert page.items == []
        # A price that no item has is an empty range in the order of prices: nothing is scanned.
        over = ran[0].order.by == "price" and ran[0].wanted.min_price is not None
        assert (page.next is None) == over, ran
        for query in ran:
            for measure, count in (await plans.work(million, query.sent, "items")).items():
                assert count <= PER_ROW[measure] * (0 if over else SCAN_ROWS) + 500, (measure, query, count)
