"""Long answers: written as the client takes them, limited, and logged as cut where the client did not get them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api.edge import client_timeouts
from api.edge.concurrency_limits import Limit
from tests.api.conftest import RequestLogs
from tests.support.clients.load import Client, new_item, request
from tests.support.clients.streams import until
from tests.support.service import Listening

#: 1.5 MB, which the process has once.
BUNDLE = "/docs/swagger-ui-bundle.js"


@asynccontextmanager
async def unread(port: int, path: str) -> AsyncIterator[socket.socket]:
    """Ask for something on a connection that is never read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        connection.sendall(request("GET", path))
        yield connection


async def fill(running: Listening) -> None:
    """Create items, so that a page of a thousand is longer than the buffers between two sockets."""
    async with Client.connected(running.port) as client:
        batch = b"[" + b",".join([new_item("x" * 250)] * 1000) + b"]"
        assert (await client.ask("POST", "/items/batch", batch)).status == 201


def unsent(running: Listening) -> Limit:
    limit: Limit = running.app._unsent
    return limit


@pytest.fixture(autouse=True)
def frequent_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_timeouts, "_CHECK_SECONDS", 0.05)


def requests(logs: RequestLogs, route: str) -> list[dict[str, Any]]:
    return [call.kwargs for call in (*logs.log.calls, *logs.audit.calls) if call.kwargs.get("route") == route]


async def test_a_client_that_reads_slowly_gets_all_of_an_answer(sqlite_url: str, request_logs: RequestLogs) -> None:
    async with Listening.over(sqlite_url, answer_timeout=0.2) as running:
        running._server.config.timeout_keep_alive = 0.2  # type: ignore[assignment]
        async with unread(running.port, BUNDLE) as connection:
            loop, received = asyncio.get_running_loop(), b""
            while b"\r\n\r\n" not in received or len(received) < length_of(received):
                received += (part := await loop.sock_recv(connection, 8192))
                assert part, "the connection was closed"
                await asyncio.sleep(0.005)  # so for a second, five times each timeout
        await until(lambda: bool(requests(request_logs, "/docs/{asset}")))
    (line,) = requests(request_logs, "/docs/{asset}")
    assert line["status"] == 200
    assert "cut" not in line


async def test_a_connection_is_not_idle_while_its_client_still_reads(sqlite_url: str) -> None:
    async with Listening.over(sqlite_url) as running:
        await fill(running)
        running._server.config.timeout_keep_alive = 0.2  # type: ignore[assignment]
        async with unread(running.port, "/items?limit=150") as connection:  # the kernel has all of it at once
            loop, received = asyncio.get_running_loop(), b""
            while b"\r\n\r\n" not in received or len(received) < length_of(received):
                received += await loop.sock_recv(connection, 2000)
                await asyncio.sleep(0.05)  # so for a second
            connection.sendall(request("GET", "/livez"))
            assert (await loop.sock_recv(connection, 2000)).startswith(b"HTTP/1.1 200 OK\r\n")


def length_of(received: bytes) -> int:
    head, _, _ = received.partition(b"\r\n\r\n")
    return len(head) + 4 + int(head.split(b"content-length: ")[1].split(b"\r\n")[0])


@pytest.mark.parametrize("path", [BUNDLE, "/items?limit=1000"])
async def test_an_answer_that_nobody_reads_is_cut_and_logged_as_cut(
    path: str, sqlite_url: str, request_logs: RequestLogs
) -> None:
    async with Listening.over(sqlite_url, answer_timeout=0.2) as running:
        await fill(running)
        async with unread(running.port, path):
            route = "/docs/{asset}" if path == BUNDLE else "/items"
            await until(lambda: bool(requests(request_logs, route)))
        (line,) = requests(request_logs, route)
        assert (line["status"], line["cut"]) == (200, "answer-timeout")
        assert unsent(running)._used == {}


async def test_an_answer_whose_client_disconnects_is_logged_as_cut(sqlite_url: str, request_logs: RequestLogs) -> None:
    async with Listening.over(sqlite_url) as running:
        async with unread(running.port, BUNDLE):
            await until(lambda: unsent(running)._used != {})
        await until(lambda: bool(requests(request_logs, "/docs/{asset}")))
        (line,) = requests(request_logs, "/docs/{asset}")
        assert (line["status"], line["cut"]) == (200, "disconnected")
        assert unsent(running)._used == {}


async def test_the_bytes_that_clients_have_not_taken_are_limited(sqlite_url: str) -> None:
    async with Listening.over(sqlite_url, max_unsent=400_000) as running:
        await fill(running)
        async with Client.connected(running.port) as client:
            async with unread(running.port, "/items?limit=1000"):
                await until(lambda: sum(unsent(running)._used.values()) > 250_000)
                refused = await client.ask("GET", "/items?limit=1000")
                assert (refused.status, refused.json()["code"]) == (503, "busy")
                assert refused.headers["retry-after"] == "1"
                assert (await client.ask("GET", "/items?limit=10")).status == 200
                # What is written is acknowledged, whatever its answer needs.
                batch = b"[" + b",".join([new_item("x" * 250)] * 1000) + b"]"
                assert (await client.ask("POST", "/items/batch", batch)).status == 201
            await until(lambda: unsent(running)._used == {})
            assert (await client.ask("GET", "/items?limit=1000")).status == 200


async def test_an_export_may_be_longer_than_what_may_be_unsent(sqlite_url: str) -> None:
    async with Listening.over(sqlite_url, max_unsent=400_000) as running:
        await fill(running)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            answer = await client.get("/events/export?format=jsonl")
        assert len(answer.content) > 400_000
        assert answer.content.count(b"\n") == int(answer.headers["log-position"])
        await until(lambda: unsent(running)._used == {})


async def test_a_page_that_has_no_room_is_not_read(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Listening.over(sqlite_url, max_unsent=400_000) as running:
        await fill(running)
        async with Client.connected(running.port) as client, unread(running.port, "/items?limit=1000"):
            await until(lambda: sum(unsent(running)._used.values()) > 250_000)
            monkeypatch.delattr(type(running.services.items), "page")
            refused = await client.ask("GET", "/items?limit=1000")
            assert (refused.status, refused.json()["code"]) == (503, "busy")


async def test_a_file_that_the_process_keeps_counts_only_as_much_as_is_buffered(sqlite_url: str) -> None:
    async with Listening.over(sqlite_url, max_unsent=100_000) as running:
        async with unread(running.port, BUNDLE), unread(running.port, BUNDLE):
            await until(lambda: sum(unsent(running)._used.values()) == 2 * 32 * 1024)
        await until(lambda: unsent(running)._used == {})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Type: text/plain\r\n", 415),
        (b"Content-Type: application/json\r\nAuthorization: Bearer itl_x\r\n", 401),
        (b"Content-Type: application/json\r\n", 413),
    ],
)
@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"])
async def test_a_body_without_an_end_is_not_read_after_its_refusal(
    headers: bytes, status: int, close: bytes, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, receive = [0], client_timeouts.TimeoutHttpProtocol.data_received

    def counting(self: client_timeouts.TimeoutHttpProtocol, data: bytes) -> None:
        read[0] += len(data)
        receive(self, data)

    monkeypatch.setattr(client_timeouts.TimeoutHttpProtocol, "data_received", counting)
    async with Listening.over(sqlite_url) as running, Client.connected(running.port) as client:
        head = b"POST /items HTTP/1.1\r\nHost: localhost\r\n" + headers + close
        await client.send(head + b"Transfer-Encoding: chunked\r\n\r\n")

        async def endlessly() -> None:
            while True:
                await client.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

        sending = asyncio.create_task(endlessly())
        answer = await client.receive()
        assert answer.status == status
        await asyncio.wait([sending])  # it ends with the connection
        assert sending.exception() is not None
    assert read[0] < 2_000_000


async def test_after_a_refusal_the_rest_of_a_short_body_is_skipped(sqlite_url: str) -> None:
    async with Listening.over(sqlite_url) as running, Client.connected(running.port) as client:
        for _ in range(2):
            await client.send(request("POST", "/items", b" " * 100_000)[:50_000])
            assert (await client.receive()).status == 413
            await client.send(b" " * 50_000)
            await asyncio.sleep(0.05)
            rest = len(request("POST", "/items", b" " * 100_000)) - 100_000
            await client.send(b" " * rest)
            assert (await client.ask("GET", "/livez")).status == 200
