"""The server killed under load, again and again: what was acknowledged is there after the restart."""

import asyncio
import random

from tests.support.checks import assert_whole
from tests.support.clients.ledger import Ledger
from tests.support.clients.load import list_items
from tests.support.clients.streams import until
from tests.support.scale import SCALE, seed
from tests.support.service import serving

KILLS = 20 * SCALE
CONNECTIONS = 8
SEED = seed(20)


async def test_no_acknowledged_write_is_lost_when_the_server_is_killed_20_times(ready_url: str) -> None:
    chance = random.Random(SEED)
    ledger = Ledger()
    for round_number in range(KILLS):
        with serving(ready_url) as server:
            ledger.check(await list_items(server.port))
            before = len(ledger.created)
            load = [ledger.churn(server.port, random.Random(chance.random()), lambda: True) for _ in range(CONNECTIONS)]
            running = asyncio.gather(*load)
            await asyncio.sleep(chance.uniform(0.15, 0.5))
            await until(lambda: len(ledger.created) > before)  # noqa: B023
            assert not running.done(), f"round {round_number}: the load ended by itself"
            server.kill()
            await running
    with serving(ready_url) as server:
        ledger.check(await list_items(server.port))
    assert set(ledger.statuses) == {201, 204}
    await assert_whole(ready_url)
