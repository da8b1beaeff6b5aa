"""What a list must be, in plain Python, and a client that walks one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import Connection, delete

from projections.items import reader
from projections.items.items import items as table
from tests.support.clients.requests import create_all, exact
from tests.support.service import InProcess

SORTS = ("id", "-id", "name", "-name", "price", "-price")

#: Cases of Unicode's own, what LIKE gives a meaning to, what sorts differently by code point and by UTF-16.
NAMES = [
    *(
        "Pen",
        "pen",
        "PEN set",
        "\u00c4pfel",
        "\u00e4pfel",
        "Stra\u00dfe",
        "STRASSE",
        "\u0130stanbul",
        "istanbul",
        "\u0131",
    ),
    *(
        "100%",
        "100",
        "a_b",
        "axb",
        "a\\b",
        "a\\%b",
        "\uffee",
        "\U0001f58b",
        "\u03a3\u03c2\u03c3",
        "z",
        "Z",
        "'",
        '"',
        "_",
        "%",
    ),
]
PRICES = ["-99999999999999.9999", "-1", "-0.0001", "0", "0.0001", "0.1", "1", "1.0001", "9.99", "99999999999999.9999"]

_LINK = re.compile(r'<([^<>]*)>; rel="(first|next)"')


def expected(items: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Filter and sort `items` as `query` asks; `limit` and the like are no part of it."""
    wanted = [dict(item) for item in items if _fits(item, query)]
    by = query.get("sort", "id")
    wanted.sort(key=lambda item: (item[by.lstrip("-")], item["id"]), reverse=by.startswith("-"))
    return wanted


def _fits(item: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    return (
        ("in_stock" not in query or item["in_stock"] is (query["in_stock"] == "true"))
        and ("min_price" not in query or item["price"] >= Decimal(query["min_price"]))
        and ("max_price" not in query or item["price"] <= Decimal(query["max_price"]))
        and ("name" not in query or query["name"].casefold() in item["name"].casefold())
    )


def links(page: httpx.Response) -> dict[str, str]:
    """Return the targets of a page's links by their relation."""
    return {rel: target for target, rel in _LINK.findall(page.headers["link"])}


def target(query: Mapping[str, str]) -> str:
    """Write a list's URL."""
    return "/items" + (f"?{urlencode(query)}" if query else "")


async def pages(service: InProcess, query: Mapping[str, str]) -> list[list[dict[str, Any]]]:
    """Follow a list's links to its end and give the pages, numbers to the last digit."""
    walked: list[list[dict[str, Any]]] = []
    following: str | None = target(query)
    while following:
        page = await service.client.get(following)
        assert page.status_code == 200, page.text
        assert len(walked) < 2000, "the links go in a circle"
        walked.append(exact(page))
        following = links(page).get("next")
    return walked


@contextmanager
def scanning(rows: int) -> Iterator[None]:
    """Let a page look at no more than this many rows."""
    before = reader.SCAN_ROWS
    reader.SCAN_ROWS = rows
    reader._scan_end.cache_clear()  # its queries were made for the other number
    try:
        yield
    finally:
        reader.SCAN_ROWS = before
        reader._scan_end.cache_clear()


async def fill(service: InProcess, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make `sent` the only items, and give them as a list would show them."""

    def clear(connection: Connection) -> None:
        with connection.begin():
            connection.execute(delete(table))

    await service.services.database.write(clear)
    ids = await create_all(service, sent)
    return [{"id": n, **item, "price": Decimal(item["price"])} for n, item in zip(ids, sent, strict=True)]


async def filled(service: InProcess) -> list[dict[str, Any]]:
    """Fill a list with items of every name, of which many are alike in something."""
    sent = [{"name": name, "price": PRICES[n % len(PRICES)], "in_stock": n % 3 > 0} for n, name in enumerate(NAMES * 2)]
    return await fill(service, sent)
