"""What a request is answered that a stop cuts off: "nothing was changed" only where that is known."""

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from api.app import ROUTES
from api.auth.api_keys import store
from api.edge.routing import Route
from api.http.responses import AsgiScope, Message
from tests.support.clients.keys import as_read, bearer, make_key
from tests.support.service import InProcess

_BODIES = {
    "POST /items": b'{"name":"Pen","price":1}',
    "POST /items/batch": b'[{"name":"Pen","price":1}]',
    "PATCH /items/{item_id}": b'{"price":2}',
    "POST /keys": b'{"name":"shop","scopes":["items:read"]}',
    "POST /keys/{key_id}/rotate": b"{}",
}


class Cut:
    """A request that is cancelled as uvicorn cancels it where a stop has waited long enough."""

    def __init__(self, service: InProcess, method: str, path: str, body: bytes | None, **headers: str) -> None:
        sent = {"host": "localhost", **headers}
        if body is not None:
            sent["content-type"] = "application/json"
        scope: AsgiScope = {
            "type": "http",
            "method": method,
            "http_version": "1.1",
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"from=1" if path == "/log/consistency" else b"",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }
        self.reading = asyncio.Event()
        self._body = body
        self._answer: list[Message] = []
        self._task = asyncio.create_task(service.app(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        self.reading.set()
        if self._body == b"...":
            await asyncio.Event().wait()  # it never comes
        return {"type": "http.request", "body": self._body or b""}

    async def _send(self, message: Message) -> None:
        self._answer.append(message)

    async def stopped(self) -> tuple[int, bytes]:
        """Cancel it, and return its answer."""
        self._task.cancel()
        await self._task
        start, body = self._answer
        assert (b"connection", b"close") in start["headers"]
        return start["status"], body["body"]


def outcome_of(answer: tuple[int, bytes]) -> str:
    status, body = answer
    assert status == 503
    found = re.search(rb'"code":"([a-z-]+)"', body)
    assert found is not None
    assert (b'"outcome":"unknown"' in body) is (found[1] == b"outcome-unknown")
    return found[1].decode()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_was_changed_only_where_no_handler_could(
    shared_on_sqlite: InProcess, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def hang(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(shared_on_sqlite.app, "_app", hang)
    path, body = re.sub(r"\{.*?\}", "1", route.path), _BODIES.get(f"{route.method} {route.path}")
    request = Cut(shared_on_sqlite, route.method, path, body)
    await begun.wait()
    assert outcome_of(await request.stopped()) == ("stopping" if route.method == "GET" else "outcome-unknown")
    if body is not None:
        request = Cut(shared_on_sqlite, route.method, path, b"...")
        await request.reading.wait()
        assert outcome_of(await request.stopped()) == "stopping"


async def test_a_key_that_is_created_after_all_was_not_denied(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of a statement that is on its way is not stopped with the request."""
    database = service.services.database
    admin = await make_key(database, "admin")
    as_read(service)
    inside, go_on, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()
    create: Callable[..., Any] = store.create
    on_sqlite = database.url.get_backend_name() == "sqlite"

    def slowly(connection: Connection, **arguments: Any) -> Any:
        loop.call_soon_threadsafe(inside.set)
        if on_sqlite:  # in the thread of its own that the write connection has there
            go_on.wait(300)
        return create(connection, **arguments)

    monkeypatch.setattr(store, "create", slowly)
    request = Cut(service, "POST", "/keys", _BODIES["POST /keys"], **bearer(admin.text))
    await inside.wait()
    assert outcome_of(await request.stopped()) == "outcome-unknown"
    go_on.set()
    if on_sqlite:
        keys = await database.write(_names)
        assert keys == ["admin", "shop"]


def _names(connection: Connection) -> list[str]:
    with connection.begin():
        return [key.name for key in store.read_all(connection)]
