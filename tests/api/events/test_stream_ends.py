"""The end of streams over sockets: clients that disconnect, clients that do not read, and a stopping server."""

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
#: The number of events that `fill` records, and how the last one begins.
EVENTS, LAST = 8000, b'"position":8000,'


async def fill(port: int) -> None:
    """Record more than the buffers between two sockets can hold."""
    batch = b"[" + b",".join([new_item("x" * 250)] * 1000) + b"]"
    async with Client.connected(port) as client:
        for _ in range(EVENTS // 1000):
            assert (await client.ask("POST", "/items/batch", batch)).status == 201


@asynccontextmanager
async def unread(port: int) -> AsyncIterator[socket.socket]:
    """Request a stream on a connection that is never read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        connection.sendall(STREAM)
        yield connection


async def read_all(receive: Callable[[], Awaitable[bytes]]) -> None:
    """Read until the last event."""
    received = b""
    async with asyncio.timeout(300):
        while LAST not in received:
            received = received[-len(LAST) :] + await receive()


async def streams(running: Listening, number: int) -> None:
    """Wait until `number` streams are open."""
    await until(lambda: running.services.feed.open_streams == number)


async def test_a_disconnected_client_ends_its_stream(sqlite_url: str) -> None:
    async with Listening.over(sqlite_url) as running:
        async with Client.connected(running.port) as client:
            await client.send(STREAM)
            await streams(running, 1)
        await streams(running, 0)


async def test_a_disconnected_client_with_a_pipelined_request_ends_its_stream(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Listening.over(sqlite_url) as running:
        async with Client.connected(running.port) as client:
            running.services.feed.heartbeat_seconds = (
                0.02  # a lost connection that is paused is detected by writing to it
            )
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


async def test_a_client_that_does_not_read_does_not_delay_a_stop(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client_timeouts, "_UNREAD_AT_STOP_SECONDS", 0.3)
    async with Listening.over(sqlite_url, answer_timeout=3600) as running:
        await fill(running.port)
        async with Client.connected(running.port) as reading, unread(running.port):
            await reading.send(STREAM)
            await streams(running, 2)
            await read_all(lambda: reading.reader.read(2**16))  # by now the buffers of the other one are full
            stopping = asyncio.create_task(running.stop())
            async with asyncio.timeout(300):
                # The client that reads gets the last chunk, so it knows that the stream is complete.
                assert (await reading.reader.read()).endswith(b"0\r\n\r\n")
                await stopping
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == []
