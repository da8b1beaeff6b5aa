"""SIGTERM: requests in flight commit and are answered, new ones are refused, and the process ends."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from eventstore.database.engine import open_database
from eventstore.log.head import lock_head
from tests.support.checks import assert_stopped_well, assert_whole
from tests.support.clients.ledger import Ledger
from tests.support.clients.load import Client, LostError, list_items, new_item, request
from tests.support.clients.sockets import until_all_is_read
from tests.support.clients.streams import until
from tests.support.service import migrate, serving

CLIENTS = 40  # more than share a connection pool, fewer than fill the queue
WORKERS = {"one process": (), "two workers": ("--workers", "2")}


@pytest.fixture(params=["sqlite, one process", "postgresql, one process", "postgresql, two workers"])
async def stopping(request: pytest.FixtureRequest) -> tuple[str, tuple[str, ...]]:
    """A database with the schema at head, and the arguments to serve it with."""
    kind, processes = request.param.split(", ")
    url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    await migrate(url)
    return url, WORKERS[processes]


@asynccontextmanager
async def _log_locked(url: str) -> AsyncIterator[None]:
    """Hold the append lock from outside, so that every writer waits."""
    database = open_database(url)
    transaction = await database.write(lambda connection: connection.begin())
    await database.write(lock_head)
    try:
        yield
    finally:
        await database.write(lambda _connection: transaction.rollback())
        await database.dispose()


async def _until_no_answer(port: int) -> None:
    """Wait until new connections get no answer, not even to whether the process lives."""
    with suppress(ConnectionRefusedError, LostError, TimeoutError):
        while True:
            async with Client.connected(port) as client, asyncio.timeout(1):
                assert (await client.ask("GET", "/livez")).status == 200
            await asyncio.sleep(0.02)


async def test_requests_in_flight_are_answered_and_new_ones_refused(stopping: tuple[str, tuple[str, ...]]) -> None:
    url, arguments = stopping
    ledger = Ledger()
    with serving(url, *arguments) as server:
        async with _log_locked(url):
            requests = [asyncio.create_task(_create(server.port, ledger)) for _ in range(CLIENTS)]
            await until_all_is_read(server.port, CLIENTS)  # then they wait for the lock
            server.terminate()
            await _until_no_answer(server.port)
            assert not any(request.done() for request in requests)
        assert await asyncio.gather(*requests) == [201] * CLIENTS
        assert_stopped_well(server)
    with serving(url) as server:
        ledger.check(await list_items(server.port))
    await assert_whole(url)


async def _create(port: int, ledger: Ledger) -> int:
    async with Client.connected(port) as client:
        return (await ledger.create(client)).status


async def test_a_stop_under_load_loses_nothing_that_was_acknowledged(stopping: tuple[str, tuple[str, ...]]) -> None:
    url, arguments = stopping
    ledger = Ledger()
    with serving(url, *arguments) as server:
        load = [ledger.churn(server.port, random.Random(seed), lambda: True) for seed in range(CLIENTS)]
        running = asyncio.gather(*load)
        await asyncio.sleep(0.5)
        await until(lambda: bool(ledger.created))
        acknowledged = len(ledger.created)
        server.terminate()
        await running
        assert_stopped_well(server)
    assert len(ledger.created) > acknowledged > 0, "the load had ended before the stop began"
    # A process that is stopping may also say so.
    assert set(ledger.statuses) <= {201, 204, 503}
    with serving(url) as server:
        ledger.check(await list_items(server.port))
    await assert_whole(url)


async def test_clients_that_idle_or_never_finish_do_not_hold_up_a_stop(stopping: tuple[str, tuple[str, ...]]) -> None:
    url, arguments = stopping
    with serving(url, *arguments) as server:
        async with Client.connected(server.port) as idle, Client.connected(server.port) as unfinished:
            assert (await idle.ask("GET", "/livez")).status == 200
            await unfinished.send(request("POST", "/items", new_item("never whole"))[:-1])
            await until_all_is_read(server.port, 2)
            server.terminate()
            assert await idle.reader.read() == b""
            cut_off = await unfinished.reader.read()
            await asyncio.to_thread(server.process.wait)
            # A stop is not a fault of the service: the client that never finished gets a 503.
            assert cut_off.startswith(b"HTTP/1.1 503 "), cut_off
            assert b"application/problem+json" in cut_off
            assert server.process.returncode == 0
            assert "Exception in ASGI application" not in server.output()
    with serving(url) as server:
        assert await list_items(server.port) == []
