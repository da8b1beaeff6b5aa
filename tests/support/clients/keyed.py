"""Writes that carry an `Idempotency-Key`."""

from itertools import count

import httpx

from tests.support.clients.http import JSON
from tests.support.clients.requests import create, named, remove
from tests.support.service import InProcess

ROUTES = ["create", "batch", "patch", "delete", "restore"]
numbers = count(1)


class Write:
    """One write of each sort, prepared so that it takes place, and what can be sent with its key instead of it."""

    def __init__(self, method: str, path: str, body: bytes, other: bytes) -> None:
        self.method = method
        self.path = path
        self.body = body
        self.other = other
        self.key = f"key-{next(numbers)}"

    @classmethod
    async def prepared(cls, service: InProcess, name: str) -> "Write":
        """Make what the write needs to be there."""
        if name == "create":
            return cls("POST", "/items", b'{"name":"Pen","price":1.5}', b'{"name":"Ink","price":1.5}')
        if name == "batch":
            return cls("POST", "/items/batch", b'[{"name":"Pen","price":1},{"name":"Nib","price":2}]', b"[]")
        path = await create(service)
        if name == "restore":
            await remove(service, path)
            return cls("POST", f"{path}/restore", b"", b"")
        if name == "delete":
            return cls("DELETE", path, b"", b"")
        return cls("PATCH", path, b'{"name":"Nib"}', b'{"name":"Pen"}')

    async def send(
        self, service: InProcess, key: str | None = None, body: bytes | None = None, **headers: str
    ) -> httpx.Response:
        """Send it, with its own key and body where no other is given; headers by their names with underscores."""
        return await service.client.request(
            self.method,
            self.path,
            content=self.body if body is None else body,
            headers={**JSON, "Idempotency-Key": key or self.key, **named(headers)},
        )


def assert_replayed(answer: httpx.Response, first: httpx.Response) -> None:
    """Expect the first answer once more."""
    assert first.is_success
    assert "idempotency-replayed" not in first.headers
    assert answer.headers["idempotency-replayed"] == "true"
    own = {"x-request-id": "", "idempotency-replayed": ""}
    assert (answer.status_code, answer.text) == (first.status_code, first.text)
    assert {**answer.headers, **own} == {**first.headers, **own}
