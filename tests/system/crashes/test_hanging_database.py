"""SIGTERM while PostgreSQL hangs: the process ends nevertheless, with an answer to every request."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from tests.support.clients.load import Client, ask, new_item
from tests.support.service import migrate, serving
from tests.system.crashes.stalling import StallingProxy

#: A guard against a hang, not a measurement: each connection used to take 7 s more.
GUARD_SECONDS = 20
READS = ("/items", "/items/1", "/events", "/audit/items/1", "/projections")


@pytest.mark.parametrize("writes", [0, 4], ids=["idle", "busy"])
async def test_a_stop_does_not_wait_for_a_database_that_hangs(postgres_url: str, writes: int) -> None:
    await migrate(postgres_url)
    async with StallingProxy.before(postgres_url) as proxy:
        with ExitStack() as stack:
            server = await asyncio.to_thread(stack.enter_context, serving(proxy.url))
            await ask(server.port, "POST", "/items", new_item("Pen"))
            await asyncio.gather(*(ask(server.port, "GET", path) for path in READS * 8))  # so that many are open
            proxy.stall()
            waiting = [asyncio.create_task(_status(server.port)) for _ in range(writes)]
            await proxy.swallowed(writes and 1)
            server.terminate()
            async with asyncio.timeout(GUARD_SECONDS):
                await asyncio.to_thread(server.process.wait)
                statuses: Sequence[int] = await asyncio.gather(*waiting)
            assert statuses == [503] * writes
            assert server.process.returncode == 0
            assert "Traceback" not in server.output()


async def _status(port: int) -> int:
    async with Client.connected(port) as client:
        return (await client.ask("POST", "/items", new_item("Ink"))).status
