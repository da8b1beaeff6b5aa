"""The server killed under load: clients that retry unanswered writes with their keys get one effect per key."""

import asyncio
import random
from collections import Counter

from eventstore.database.engine import open_database
from tests.support.checks import assert_whole
from tests.support.clients.load import list_items
from tests.support.clients.retries import Retrier, assert_one_effect_each
from tests.support.scale import SCALE, seed
from tests.support.service import serving

KILLS = 4 * SCALE
CLIENTS = 24
SEED = seed(21)


async def test_every_key_has_one_effect_when_the_server_is_killed_and_clients_send_again(ready_url: str) -> None:
    chance = random.Random(SEED)
    clients = [Retrier(f"client-{number}", SEED + number) for number in range(CLIENTS)]
    for round_number in range(KILLS):
        with serving(ready_url) as server:
            running = asyncio.gather(*(client.work(server.port, lambda: True) for client in clients))
            await asyncio.sleep(chance.uniform(0.2, 0.5))
            assert not running.done(), f"round {round_number}: the load ended by itself"
            server.kill()
            await running
    with serving(ready_url) as server:
        await asyncio.gather(*(client.work(server.port, lambda: False) for client in clients))
        listed = await list_items(server.port)
    assert listed == sorted((item for client in clients for item in client.live.values()), key=lambda item: item["id"])
    database = open_database(ready_url)
    await assert_one_effect_each(database, [write for client in clients for write, _ in client.answered])
    await database.dispose()
    seen = sum((client.seen for client in clients), Counter[str]())
    assert {name for name in seen if " " in name and name[-1].isdigit()} == {
        "POST 200",
        "POST 201",
        "PATCH 200",
        "DELETE 204",
    }
    # Both were seen: a write that took effect though nobody was told, and one that did not.
    assert 0 < seen["had taken effect"] < seen["sent again"], seen
    await assert_whole(ready_url)
