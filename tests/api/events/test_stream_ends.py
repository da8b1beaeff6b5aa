"""The ends of streams over sockets: who leaves is gone, who does not read is let go, a stop waits for neither."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from api.edge import client_timeouts
from tests.support.clients.load import Client, new_item, request
from tests.support.clients.streams import PATH, until
from tests.support.service import Listening

STREAM = request("GET", PATH)
#: What `fill` records, and where the last of it begins.
EVENTS, LAST = 8000, b'"position":8000,'


async def fill(port: int) -> None:
    """Record more than the buffers between two sockets hold."""
    batch = b"[" + b",".join([new_item("x" * 250)] * 1000) + b"]"
    async with Client.connected(port) as client:
        for _ in range(EVENTS // 1000):
            assert (await client.ask("POST", "/items/batch", batch)).status == 201


@asynccontextmanager
async def unread(port: int) -> AsyncIterator[socket.socket]:
    """Ask for a stream on a connection that nobody reads from."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        connection.sendall(STREAM)
        yield connection


async def read_all(receive: Callable[[], Awaitable[bytes]]) -> None:
    """Read until the last of the events has come."""
    received = b""
    async with asyncio.timeout(300):
        while LAST not in received:
            received = received[-len(LAST) :] + await receive()


async def streams(running: Listening, number: int) -> None:
    """Wait until so many streams are open."""
    await until(lambda: running.services.feed.streams == number)


async def test_a_client_that_leaves_is_gone_at_once(sqlite_url: str) -> None:
    async with Listening.over(sqlite_url) as running:
        async with Client.connected(running.port) as client:
            await client.send(STREAM)
            await streams(running, 1)
        await streams(running, 0)


async def test_a_client_that_leaves_with_a_request_behind_its_stream_is_gone_too(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Listening.over(sqlite_url) as running:
        async with Client.connected(running.port) as client:
            running.services.feed.heartbeat = 0.02  # a paused connection is seen to be lost by writing to it
            await client.send(STREAM + request("GET", "/livez"))
            await streams(running, 1)
            await client.send(request("GET", "/livez"))
        await streams(running, 0)
    assert "unexpected error" not in capsys.readouterr().out


async def test_a_client_that_does_not_read_is_disconnected(sqlite_url: str) -> None:
    async with Listening.over(sqlite_url, answer_timeout=0.5) as running:
        await fill(running.port)
        async with Client.connected(running.port) as reading, unread(running.port):
            await reading.send(STREAM)
            await streams(running, 2)
            await read_all(lambda: reading.reader.read(2**16))
            await streams(running, 1)
            assert not reading.reader.at_eof()


async def test_a_client_that_does_not_read_does_not_hold_up_a_stop(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client_timeouts, "_UNTAKEN_AT_STOP", 0.3)
    async with Listening.over(sqlite_url, answer_timeout=3600) as running:
        await fill(running.port)
        async with Client.connected(running.port) as reading, unread(running.port):
            await reading.send(STREAM)
            await streams(running, 2)
            await read_all(lambda: reading.reader.read(2**16))  # by now the other has all that fits in between
            stopping = asyncio.create_task(running.stop())
            async with asyncio.timeout(300):
                # The one who reads is told of the end, and knows by that that nothing was cut.
                assert (await reading.reader.read()).endswith(b"0\r\n\r\n")
                await stopping
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == []
