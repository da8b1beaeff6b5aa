"""HTTP as tests need it: raw ASGI calls, raw bytes over a socket, and a judge that knows the OpenAPI document."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from sqlalchemy import func, select

from api.http.responses import AsgiScope, Message, Receive, Send
from eventstore.database.database import Database
from eventstore.log.tables import events, log_head
from projections.items.items import items

JSON = {"content-type": "application/json"}
#: Any ASGI application: ours, or FasterAPI alone.
Application = Callable[[Any, Receive, Send], Awaitable[None]]
DISCONNECT: Message = {"type": "http.disconnect"}

#: HTTP's own: OpenAPI has other places than a response's headers for them, or says nothing of them.
_MECHANICAL = {"content-type", "content-length"}


_PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}


class Contract:
    """Holds answers against an OpenAPI document: nothing is sent that it does not describe."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._templates = {
            template: re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))) for template in document["paths"]
        }
        self._validators: dict[int, tuple[Mapping[str, Any], Any]] = {}

    async def hook(self, response: httpx.Response) -> None:
        """Check an answer as an httpx event hook."""
        await response.aread()
        self.check(response)

    def check(self, response: httpx.Response) -> None:
        """Fail where `response` is not described, or not as it is described."""
        request, status = response.request, response.status_code
        assert response.headers["x-request-id"]
        target = request.url.raw_path.partition(b"?")[0].decode()  # an escaped slash is not a slash
        path = next((item for template, item in self._paths() if template.fullmatch(target)), None)
        method = "get" if request.method == "HEAD" else request.method.lower()
        if request.method == "HEAD" or status in (204, 304):
            assert response.content == b""
        if status == 429 and method not in (path or {}):
            self._check_undescribed(response, 429)
        elif path is None:
            self._check_undescribed(response, 404)
        elif method == "options":
            assert (status, response.headers["allow"] != "") == (204, True)
        elif method not in path:
            assert request.method != "GET"
            self._check_undescribed(response, 405)
            assert response.headers["allow"]
        else:
            assert str(status) in path[method]["responses"], f"{request.method} {request.url.path}: {status}"
            self._check_described(response, path[method]["responses"][str(status)])

    def errors(self, schema: Mapping[str, Any], value: object) -> list[str]:
        """Return what is wrong with `value` as an instance of a schema of the document."""
        # A validator takes milliseconds to build, so each schema's is kept. `schema` is kept too: its id stays its own.
        if id(schema) not in self._validators:
            # The document's components stand beside it, so that its references resolve within one schema.
            rooted = {**schema, "components": self.document["components"]}
            self._validators[id(schema)] = schema, OAS31Validator(rooted, format_checker=oas31_format_checker)
        _, validator = self._validators[id(schema)]
        return [error.message for error in validator.iter_errors(value)]

    def resolve(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a reference, if it is one."""
        for step in described.get("$ref", "#").split("/")[1:]:
            described = (self.document if step == "components" else described)[step]
        return described

    def _paths(self) -> Iterable[tuple[re.Pattern[str], Any]]:
        # A literal path goes before a pattern, as in the service.
        names = sorted(self._templates, key=lambda template: "{" in template)
        return ((self._templates[name], self.document["paths"][name]) for name in names)

    def _check_undescribed(self, response: httpx.Response, status: int) -> None:
        assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
        if response.request.method != "HEAD":
            assert self.errors(_PROBLEM, response.json()) == []

    def _check_described(self, response: httpx.Response, described: Mapping[str, Any]) -> None:
        headers = {name.lower(): self.resolve(header) for name, header in described.get("headers", {}).items()}
        where = f"{response.request.method} {response.request.url.path} {response.status_code}"
        assert set(response.headers) - _MECHANICAL <= set(headers), where
        assert {name for name, header in headers.items() if header.get("required")} <= set(response.headers), where
        for name in set(headers) & set(response.headers):
            text = response.headers[name]
            value = int(text) if headers[name]["schema"]["type"] == "integer" else text
            assert self.errors(headers[name]["schema"], value) == [], where
        if "content" not in described:
            assert response.content == b"", where
            return
        media_type = response.headers["content-type"].partition(";")[0]
        content = described["content"][media_type]
        if media_type.endswith("json") and response.request.method != "HEAD":
            assert self.errors(content["schema"], response.json()) == [], where


def scope_of(method: str, target: str, headers: Sequence[tuple[str, str]] = (), **scope: object) -> AsgiScope:
    """Return the ASGI scope of a local request; `scope` overrides its members."""
    path, _, query = target.partition("?")
    if not any(name.lower() == "host" for name, _ in headers):
        headers = [("host", "localhost"), *headers]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        **scope,
    }


async def call(
    app: Application,
    method: str,
    target: str,
    *messages: Message,
    headers: Sequence[tuple[str, str]] = (),
    **scope: object,
) -> httpx.Response | None:
    """Make one request of raw ASGI messages; return the answer, None where there was none.

    Behind the last message the client is silent, but stays. `scope` is what else its ASGI scope says.
    """
    incoming = list(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope_of(method, target, headers, **scope), receive, send)
    if not sent:
        return None
    start, *rest = sent
    content = b"".join(message.get("body", b"") for message in rest)
    request = httpx.Request(method, f"http://test{quote(target, safe='/?=&%')}")
    return httpx.Response(start["status"], headers=start["headers"], content=content, request=request)


def part(body: bytes, *, more: bool = False) -> Message:
    """Return a piece of a body as an ASGI message."""
    return {"type": "http.request", "body": body, "more_body": more}


def talk(port: int, data: bytes) -> bytes:
    """Send bytes to a server and close that direction; return all that it says before it closes the other."""
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def converse(port: int, data: bytes) -> list[httpx.Response]:
    """Send requests, of which the last says `Connection: close`, in one go; return the answers in their order."""
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        connection.sendall(data)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return list(_responses(received))


def _responses(received: bytes) -> Iterable[httpx.Response]:
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        length = int(httpx.Headers(headers).get("content-length", 0))
        content, received = received[:length], received[length:]
        yield httpx.Response(int(status.split()[1]), headers=headers, content=content)


async def log_state(database: Database) -> tuple[object, ...]:
    """Return what any change to the log or to the items would alter."""
    head = (await database.read(select(log_head)))[0]
    counts = select(func.count(), func.max(events.c.position)).select_from(events)
    kept = (await database.read(select(func.count()).select_from(items)))[0]
    return (*head, *(await database.read(counts))[0], *kept)


@asynccontextmanager
async def unchanged_log(database: Database) -> AsyncIterator[None]:
    """Fail where what runs inside leaves a trace in the log."""
    before = await log_state(database)
    yield
    assert await log_state(database) == before


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Fail where `response` is not a problem of this kind with all its members; return its body."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    problem: dict[str, Any] = json.loads(response.content)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem)
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"/problems/{code}")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    return problem
