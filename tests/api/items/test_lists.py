"""Lists: filters, sorts and cursors, compared with `sorted` and `filter` over dictionaries."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.clients.http import check_problem
from tests.support.clients.lists import NAMES, PRICES, SORTS, expected, fill, filled, links, pages, scanning, target
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

_item = st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES), "price": st.sampled_from(PRICES), "in_stock": st.booleans()}
)
_part = st.sampled_from(
    [*NAMES, "p", "E", "ss", "\u00df", "\u1e9e", "i", "\u0307", "\u03c3", "\\", " ", "0%", "x_", "none"]
)
_query = st.fixed_dictionaries(
    {"sort": st.sampled_from(SORTS), "limit": st.sampled_from(["1", "2", "3", "7", "1000"])},
    optional={
        "in_stock": st.sampled_from(["true", "false"]),
        "min_price": st.sampled_from(PRICES),
        "max_price": st.sampled_from(PRICES),
        "name": _part,
    },
)


def flat(walked: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return list(chain.from_iterable(walked))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_item, min_size=1, max_size=30), st.lists(_query, min_size=1, max_size=4), st.sampled_from([1, 2, 5, 100])
)
async def test_following_the_links_returns_what_the_filters_and_the_order_select(
    shared: InProcess, sent: list[dict[str, Any]], queries: list[Mapping[str, str]], scan: int
) -> None:
    items = await fill(shared, sent)
    with scanning(scan):
        for query in queries:
            walked = await pages(shared, query)
            assert flat(walked) == expected(items, query)
            assert all(len(page) <= int(query["limit"]) for page in walked)


@pytest.mark.parametrize("sort", SORTS)
async def test_every_sort_orders_equal_items_by_id(shared: InProcess, sort: str) -> None:
    items = await filled(shared)
    for limit in ("1", "7", "100"):
        assert flat(await pages(shared, {"sort": sort, "limit": limit})) == expected(items, {"sort": sort})


async def test_every_filter_selects_the_matching_items(shared: InProcess) -> None:
    items = await filled(shared)
    queries: list[dict[str, str]] = [{"in_stock": value} for value in ("true", "false")]
    queries += [{bound: price} for bound in ("min_price", "max_price") for price in (*PRICES, "1.0000", "-0")]
    queries += [{"min_price": "0", "max_price": "1"}, {"min_price": "1", "max_price": "0"}]
    queries += [{"min_price": "0.1", "max_price": "0.1", "in_stock": "true", "name": "P"}]
    for query in queries:
        for sort in SORTS:
            assert flat(await pages(shared, {**query, "sort": sort})) == expected(items, query | {"sort": sort})


@pytest.mark.parametrize(
    ("part", "found"),
    [
        *(("\u00e4", ["\u00c4pfel", "\u00e4pfel"]), ("\u00c4PF", ["\u00c4pfel", "\u00e4pfel"]), ("a\u0308", [])),
        *(("\u00df", ["Stra\u00dfe", "STRASSE"]), ("SS", ["Stra\u00dfe", "STRASSE"]), ("pen s", ["PEN set"])),
        *(
            ("\u0130", ["\u0130stanbul"]),
            ("istan", ["istanbul"]),
            ("i\u0307st", ["\u0130stanbul"]),
            ("\u0131", ["\u0131"]),
        ),
        *(("%", ["100%", "a\\%b", "%"]), ("_", ["a_b", "_"]), ("\\", ["a\\b", "a\\%b"]), ("a_", ["a_b"])),
        *(
            ("\\%", ["a\\%b"]),
            ("%%", []),
            ("\\_", []),
            ("\u03c3", ["\u03a3\u03c2\u03c3"]),
            ("\u03a3\u03a3", ["\u03a3\u03c2\u03c3"]),
        ),
        *(("'", ["'"]), ('"', ['"']), ("\U0001f58b", ["\U0001f58b"])),
    ],
)
async def test_a_part_of_a_name_matches_literally_ignoring_case(shared: InProcess, part: str, found: list[str]) -> None:
    await fill(shared, [{"name": name, "price": 1} for name in NAMES])
    page = await shared.client.get("/items", params={"name": part})
    assert [item["name"] for item in page.json()] == found


WRONG_VALUES = [
    *("in_stock=", "in_stock=yes", "in_stock=null", "in_stock=2", "in_stock=TRUE%20", "in_stock=%22true%22"),
    *(
        "min_price=",
        "min_price=abc",
        "min_price=1e2",
        "min_price=0.00001",
        "min_price=100000000000000",
        "min_price=NaN",
    ),
    *("max_price=%2B1", "max_price=1,5", "max_price=.5", "max_price=01", "max_price=inf", "max_price=1%0A"),
    *(
        "min_price=%D9%A1",
        "max_price=--1",
        "max_price=1_0",
        "name=",
        "name=%00",
        "name=a%0Ab",
        "name=%7F",
        "name=%C2%85",
    ),
    *("name=" + "x" * 256, "sort=", "sort=in_stock", "sort=--id", "sort=Id", "sort=id,name", "sort=%2Bid", "sort=-"),
    *("min_position=", "min_position=-1", "min_position=1.5", "min_position=9223372036854775808", "min_position=x"),
]


@pytest.mark.parametrize("query", WRONG_VALUES)
async def test_an_invalid_value_is_rejected_naming_its_parameter(shared: InProcess, query: str) -> None:
    (fault,) = check_problem(await shared.client.get(f"/items?{query}"), 400, "invalid-query")["errors"]
    assert (fault["parameter"], fault["detail"] != "") == (query.partition("=")[0], True)


@pytest.mark.parametrize("query", [{}, {"sort": "-name", "name": "e & f=g"}, {"min_price": "0", "in_stock": "true"}])
async def test_every_page_links_to_the_first_page(shared: InProcess, query: dict[str, str]) -> None:
    await fill(shared, [{"name": f"e & f=g {n}", "price": n} for n in range(7)])
    query = {**query, "limit": "2"}
    page = first = await shared.client.get(target(query))
    while following := links(page).get("next"):
        page = await shared.client.get(following)
        again = await shared.client.get(links(page)["first"])
        assert (again.text, again.headers["link"]) == (first.text, first.headers["link"])
    assert page.request.url != first.request.url
    assert "cursor" not in links(page)["first"]


@pytest.mark.parametrize("sort", SORTS)
async def test_a_selective_filter_returns_short_pages_and_every_item_once(shared: InProcess, sort: str) -> None:
    items = await fill(shared, [{"name": f"Pen {n:02}", "price": n % 5, "in_stock": n % 13 == 0} for n in range(60)])
    query = {"sort": sort, "in_stock": "true", "limit": "3"}
    with scanning(7):
        walked = await pages(shared, query)
    assert flat(walked) == expected(items, query)
    assert len(walked) >= 60 // 7
    assert [] in walked
    with scanning(7):  # a range of the sort key itself needs no scan of rows
        whole = await pages(shared, {"sort": "price", "min_price": "2", "limit": "100"})
    assert [len(page) for page in whole] == [36]
