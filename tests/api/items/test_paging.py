"""Pages of a list: following `Link` returns every item once, regardless of writes between pages."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.schemas.item_list_query import ItemListQuery
from projections.items.lists import PageKey
from tests.support.service import InProcess


async def create(service: InProcess, count: int) -> None:
    for number in range(count):
        answer = await service.client.post("/items", json={"name": f"Item {number}", "price": number})
        assert answer.status_code == 201


def next_page(page: httpx.Response) -> str | None:
    links = re.findall(r'<(/items(?:\?[A-Za-z0-9_.%+=&-]+)?)>; rel="(first|next)"(?:, |$)', page.headers["link"])
    assert {"first", *(rel for _, rel in links)} == {"first", *({"next"} if len(links) > 1 else ())}
    return {rel: target for target, rel in links}.get("next")


def next_target(query: ItemListQuery, after: PageKey) -> str:
    link = re.search(r'<([^<]*)>; rel="next"', query.links("/items", after).decode())
    assert link is not None
    return link[1]


def flat(pages: list[list[int]]) -> list[int]:
    return [item_id for page in pages for item_id in page]


async def walk(service: InProcess, start: str) -> list[list[int]]:
    pages: list[list[int]] = []
    target = start
    while target:
        page = await service.client.get(target)
        assert page.status_code == 200
        assert len(pages) < 100, "the links go in a circle"
        pages.append([item["id"] for item in page.json()])
        target = next_page(page) or ""
    return pages


async def test_following_the_links_shows_every_item_once_in_order(service: InProcess) -> None:
    await create(service, 8)
    await service.client.delete("/items/3")
    sizes = {1: [1] * 7, 2: [2, 2, 2, 1], 3: [3, 3, 1], 6: [6, 1], 7: [7], 8: [7], 1000: [7]}
    for limit, expected in sizes.items():
        pages = await walk(service, f"/items?limit={limit}")
        assert [len(page) for page in pages] == expected
        assert flat(pages) == [1, 2, 4, 5, 6, 7, 8]


async def test_a_page_has_a_hundred_items_by_default(service: InProcess) -> None:
    await create(service, 101)
    pages = await walk(service, "/items")
    assert [len(page) for page in pages] == [100, 1]


async def test_deletes_and_creates_between_pages_move_no_other_item(service: InProcess) -> None:
    await create(service, 6)
    first = await service.client.get("/items?limit=2")
    await service.client.delete("/items/1")
    await service.client.delete("/items/3")
    await create(service, 1)
    target = next_page(first)
    assert target is not None
    assert flat(await walk(service, target)) == [4, 5, 6, 9]


async def test_the_link_keeps_the_other_parameters(service: InProcess) -> None:
    await create(service, 3)
    target = next_page(await service.client.get("/items?limit=1"))
    assert target is not None
    assert parse_qs(urlsplit(target).query)["limit"] == ["1"]


async def test_a_cursor_after_the_last_item_returns_an_empty_page(service: InProcess) -> None:
    await create(service, 1)
    page = await service.client.get(next_target(ItemListQuery(), PageKey(None, 2**63 - 1)))
    assert (page.status_code, page.json(), page.headers["link"]) == (200, [], '</items>; rel="first"')


@pytest.mark.parametrize("after", [0, 1, 9, 10, 255, 2**31, 2**53 + 1, 2**63 - 1])
@pytest.mark.parametrize("key", [None, 0, 5, -(10**18) + 1, 10**18 - 1, "Pen", "F\u00fcller \U0001f58a" * 25])
def test_a_cursor_round_trips(after: int, key: str | int | None) -> None:
    sort = {int: "-price", str: "name"}.get(type(key), "id")
    query = ItemListQuery(sort=sort)  # type: ignore[arg-type]
    (text,) = parse_qs(urlsplit(next_target(query, PageKey(key, after))).query)["cursor"]
    assert ItemListQuery(sort=sort, cursor=text).after() == PageKey(key, after)  # type: ignore[arg-type]
    assert re.fullmatch("[A-Za-z0-9_-]+", text)
