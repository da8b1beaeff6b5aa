"""Item reads never query the log, and no read uses the write connection. The SQL of every GET is recorded."""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from api.app import ROUTES
from eventstore.database.database import Database
from eventstore.database.lookups import Rows
from eventstore.database.prepared import Prepared
from tests.api.edge.test_methods import example
from tests.support.clients.http import check_problem
from tests.support.service import InProcess

READS = [example(route.path) for route in ROUTES if route.method == "GET" and not route.streaming]
ITEM_READS = [
    *("/items", "/items?limit=1", "/items?name=e&sort=-price", "/items?in_stock=true&sort=name&max_price=3"),
    *("/items/1", "/items/2", "/items/99", "/items?min_position=4", "/items/1?min_position=4"),
]


@contextmanager
def writes(database: Database) -> Iterator[list[str]]:
    """Record the uses of the write connection, by method."""
    used: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        method = getattr(database, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            used.append(name)
            return await method(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("write", "append"):
            patch.setattr(database, name, noted(name))
        yield used


@contextmanager
def watched(engine: Engine) -> Iterator[list[str]]:
    """Record the SQL that `engine` runs."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_item_reads_never_query_the_log_and_no_get_uses_the_write_connection(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Pen", "Ink", "Nib"):
        await service.client.post("/items", json={"name": name, "price": 1})
    await service.client.delete("/items/2")
    database = service.services.database
    look_up = database.look_up
    with watched(database.reader.sync_engine) as read, writes(database) as written:

        async def noted(statement: Prepared, parameters: Mapping[str, object]) -> Rows:
            read.append(statement.text)
            return await look_up(statement, parameters)

        monkeypatch.setattr(database, "look_up", noted)
        first = await service.client.get("/items?limit=1&name=n")
        (_, (following, _)) = re.findall('<(.*?)>; rel="(.*?)"', first.headers["link"])
        for path in (*ITEM_READS, following, *READS):
            for method in ("GET", "HEAD"):
                before = len(read)
                await service.client.request(method, path, headers={"If-None-Match": '"2.1"'})
                ran = read[before:]
                if path.startswith("/items"):
                    assert ran, f"{path} was answered without its table"
                    assert not [sql for sql in ran if re.search(r"\bevents\b|log_(?!head)", sql)], path
        assert written == []
        # The recording works: a write is seen.
        await service.client.post("/items", json={"name": "Cap", "price": 1})
        assert "append" in written


async def test_the_read_connections_cannot_write(service: InProcess) -> None:
    from sqlalchemy import delete, insert
    from sqlalchemy.exc import DBAPIError

    from projections.items.items import items

    await service.client.post("/items", json={"name": "Pen", "price": 1})
    row = {"id": 9, "name": "x", "price": 1, "in_stock": True, "version": 1}
    for statement in (delete(items), insert(items).values(row)):
        refused = False
        async with service.services.database.reader.connect() as connection:
            try:
                await connection.execute(statement)
            except DBAPIError:
                refused = True
        assert refused
    assert len((await service.client.get("/items")).json()) == 1


async def test_a_look_up_without_an_answer_is_503_after_its_limit_and_delays_no_other(
    small: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await small.client.post("/items", json={"name": "Pen", "price": 1})).status_code == 201
    original, asked = small.services.database.look_up, asyncio.Event()

    async def first_is_silent(*arguments: Any) -> Any:
        if not asked.is_set():
            asked.set()
            await asyncio.Event().wait()
        return await original(*arguments)

    monkeypatch.setattr(small.services.database, "look_up", first_is_silent)
    monkeypatch.setattr(small.services.items._by_id, "_timeout_seconds", 0.2)
    silent = asyncio.create_task(small.client.get("/items/1"))
    await asked.wait()
    assert (await small.client.get("/items/1")).status_code == 200
    assert not silent.done()
    check_problem(await silent, 503, "database-unavailable")
