"""Shared code of the tests that check query plans of lists: a filled database of either kind, and its plans."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from eventstore.database.database import Database
from projections.items.lists import Order
from tests.support import plans
from tests.support.postgres import PostgresServer

Q = TypeVar("Q")

LIMIT = 100
ORDERS = [Order(by, descending) for by in ("id", "name", "price") for descending in (False, True)]
#: The numbers 1 to {n} as a column `i`.
SERIES = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n}) SELECT i FROM n)",
    "postgresql": "(SELECT i FROM generate_series(1, {n}) AS n(i)) AS n",
}
_BOOLEAN = {"sqlite": "", "postgresql": "= 1"}


def insert_items(kind: str, count: int, version: int) -> str:
    """Return the statement that inserts `count` items, of which many share a name or a price.

    Ten names and ten prices are each shared by a tenth of them: a query that looks for a page key by name or price
    alone, and not by id as well, reads as many. Name, price and stock do not depend on each other.
    """
    values = (
        f"i, 'Pen ' || (i % 10), i / 10 % 10 * 10000, (i / 100 % 2) {_BOOLEAN[kind]}, {version}, 'pen ' || (i % 10)"
    )
    into = "INSERT INTO items (id, name, price, in_stock, version, name_folded)"
    return f"{into} SELECT {values} FROM {SERIES[kind].format(n=count)}"


def filled(request: pytest.FixtureRequest, filling: Callable[[Connection], None]) -> Iterator[str]:
    """Fill a database of the kind that the fixture's parameter names, for all tests of a module."""
    if request.param == "sqlite":
        with TemporaryDirectory() as directory:  # pytest would keep a file of this size
            url = f"sqlite+aiosqlite:///{directory}/itemledger.db"
            asyncio.run(plans.fill(url, filling))
            yield url
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.create_database()
        asyncio.run(plans.fill(url, filling))
        yield url
        server.drop_database(url)


async def assert_planned(
    database: Database,
    queries: Iterable[tuple[Q, plans.Sent]],
    check_tree: Callable[[Q, dict[str, Any]], None],
    check_rows: Callable[[Q, Any], None],
    *tables: str,
) -> None:
    """Check the plan of every query, on PostgreSQL without and with statistics on `tables`."""
    queries = list(queries)
    if not plans.is_postgres(database):
        for query, sent in queries:
            check_rows(query, await plans.rows(database, sent))
        return
    for analyzed in (False, True):
        for table in tables if analyzed else ():
            await plans.analyze(database, table)
        for query, sent in queries:
            for tree in await plans.trees(database, sent):
                check_tree(query, tree)
