"""Cursors: each belongs to one list, leads to a key in it, and is rejected anywhere else."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.schemas.item_list_query import ItemListQuery
from tests.support.clients.http import check_problem
from tests.support.clients.lists import SORTS, expected, filled, links, target
from tests.support.clients.requests import exact
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def cursor_of(service: InProcess, query: Mapping[str, str]) -> str:
    page = await service.client.get(target({**query, "limit": "1"}))
    (cursor,) = parse_qs(urlsplit(links(page)["next"]).query)["cursor"]
    return cursor


OTHER_LISTS: list[tuple[dict[str, str], dict[str, str]]] = [
    ({}, {"sort": "-id"}),
    ({"sort": "name"}, {"sort": "-name"}),
    ({"sort": "price"}, {"sort": "-price"}),
    ({"sort": "name"}, {"sort": "price"}),
    ({"sort": "id"}, {"sort": "price"}),
    ({}, {"in_stock": "true"}),
    ({"in_stock": "true"}, {"in_stock": "false"}),
    ({"in_stock": "true"}, {}),
    ({"min_price": "0"}, {"min_price": "0.0001"}),
    ({"min_price": "0"}, {"max_price": "0"}),
    ({"max_price": "5", "sort": "price"}, {"max_price": "6", "sort": "price"}),
    ({"name": "e"}, {"name": "n"}),
    ({"name": "e"}, {}),
]


@pytest.mark.parametrize(("of", "other"), OTHER_LISTS)
async def test_a_cursor_is_rejected_by_another_list(
    shared: InProcess, of: dict[str, str], other: dict[str, str]
) -> None:
    await filled(shared)
    cursor = await cursor_of(shared, of)
    answer = await shared.client.get(target({**other, "cursor": cursor}))
    (fault,) = check_problem(answer, 400, "invalid-query")["errors"]
    assert fault["parameter"] == "cursor"
    assert (await shared.client.get(target({**of, "cursor": cursor}))).status_code == 200


async def test_a_cursor_is_valid_with_any_limit_position_and_spelling_of_its_list(shared: InProcess) -> None:
    items = await filled(shared)
    query = {"min_price": "0", "sort": "price", "in_stock": "true"}
    cursor = await cursor_of(shared, query)
    for other in ({"limit": "3"}, {"min_position": "1"}, {"min_price": "0.0000"}, {"in_stock": "1"}):
        page = await shared.client.get(target({**query, **other, "cursor": cursor}))
        assert page.status_code == 200
        assert exact(page) == expected(items, query)[1:][: int(other.get("limit", 100))]


def sealed(query: ItemListQuery, *place: object) -> str:
    """Return a cursor of the list of `query` to a key of the test's choice."""
    return urlsafe_b64encode(msgspec.json.encode((query._digest(), *place))).decode().rstrip("=")


NO_PLACES: list[tuple[str, tuple[object, ...]]] = [
    *(("id", place) for place in [(), (None,), (None, -1), (None, 2**63), (None, "1"), (None, None), (None, 1, 1)]),
    *(("id", place) for place in [(1, 1), ("a", 1), (None, 1.5), (None, True), (None, [1]), ([], 1)]),
    *(("name", place) for place in [("a\0", 1), ("", 1), (" ", 1), ("x" * 256, 1), (1, 1), (None, 1), (["a"], 1)]),
    *(("-name", place) for place in [("a", -1), ("a", 2**64), ("\x85", 1), ({"a": 1}, 1), (True, 1)]),
    *(("price", place) for place in [(10**18, 1), (-(10**18), 1), ("1", 1), (None, 1), (1.5, 1), (2**70, 1), (1, -1)]),
]


@pytest.mark.parametrize(("sort", "place"), NO_PLACES)
async def test_a_forged_cursor_key_is_rejected(shared: InProcess, sort: Any, place: tuple[object, ...]) -> None:
    cursor = sealed(ItemListQuery(sort=sort), *place)
    answer = await shared.client.get(target({"sort": sort, "cursor": cursor}))
    (fault,) = check_problem(answer, 400, "invalid-query")["errors"]
    assert fault["parameter"] == "cursor"


async def test_a_cursor_to_a_deleted_item_is_valid(shared: InProcess) -> None:
    """Items are deleted while a client pages, so a cursor may lead to a deleted one."""
    items = await filled(shared)
    for sort, key, item_id in (("name", "Q", 0), ("-name", "Q", 2**63 - 1), ("price", 5, 1), ("-price", 10**18 - 1, 0)):
        cursor = sealed(ItemListQuery(sort=sort), key, item_id)  # type: ignore[arg-type]
        page = await shared.client.get(target({"sort": sort, "cursor": cursor}))
        by, units = sort.lstrip("-"), Decimal(key).scaleb(-4) if isinstance(key, int) else key
        behind = [
            item
            for item in expected(items, {"sort": sort})
            if ((item[by], item["id"]) < (units, item_id)) == sort.startswith("-")
        ]
        assert exact(page) == behind


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SORTS), st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode()), st.booleans()
)
async def test_a_random_cursor_is_rejected(shared: InProcess, sort: str, junk: bytes, encoded: bool) -> None:
    cursor = urlsafe_b64encode(junk).decode() if encoded else junk.decode("latin-1")
    answer = await shared.client.get("/items", params={"sort": sort, "cursor": cursor})
    if cursor:
        (fault,) = check_problem(answer, 400, "invalid-query")["errors"]
        assert fault["parameter"] == "cursor"
    else:
        assert answer.status_code == 200
