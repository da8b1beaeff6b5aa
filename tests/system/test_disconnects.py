"""Clients that disconnect while they send or wait: no partial request runs, and pool and log stay intact."""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.support.checks import assert_stopped_well, assert_whole
from tests.support.clients.load import ask, list_items, new_item, request
from tests.support.scale import SCALE, seed
from tests.support.service import Server, serving

CUTS = 150 * SCALE
AT_ONCE = 12
SEED = seed(5)


async def _send_and_leave(port: int, data: bytes, pause: float, reset: bool) -> None:
    """Send `data`, wait a moment, go: with an orderly end, or with a reset as from a client that died."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    if reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.write(data)
    await asyncio.sleep(pause)
    writer.transport.abort()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.fixture
async def server(ready_url: str) -> AsyncIterator[Server]:
    """The service on either database; at the end it stops well and has left a whole database."""
    with serving(ready_url) as server:
        yield server
        server.terminate()
        assert_stopped_well(server)
    await assert_whole(ready_url)


async def _assert_serves_as_ever(port: int, kept: dict[int, str]) -> None:
    # More at once than there are connections in the pools: one that was not given back would be missed.
    created = await asyncio.gather(*(ask(port, "POST", "/items", new_item(f"after {n}")) for n in range(32)))
    listed = await asyncio.gather(*(ask(port, "GET", "/items") for _ in range(32)))
    read = await asyncio.gather(*(ask(port, "GET", f"/items/{item_id}") for item_id in kept))
    assert Counter(answer.status for answer in (*created, *listed, *read)) == {201: 32, 200: 32 + len(kept)}


async def test_requests_that_are_cut_run_nothing_and_leave_pool_and_log_whole(server: Server) -> None:
    chance = random.Random(SEED)
    kept = {}
    for number in range(20):
        answer = await ask(server.port, "POST", "/items", new_item(f"kept {number}"))
        kept[answer.json()["id"]] = f"kept {number}"
    asked: list[bytes] = []
    for number in range(CUTS):
        # A body that is JSON before its end, and then blanks: what arrived of it could well be carried out.
        body = new_item(f"cut {number}")
        create = request("POST", "/items", body + b" " * 20)
        delete = request("DELETE", f"/items/{chance.choice(list(kept))}")
        whole, first = chance.choice(
            [(create, len(create) - 20), (create, create.index(body)), (create, 1), (delete, 1)]
        )
        asked.append(whole[: chance.randrange(first, len(whole))])
    await _send_in_groups(server.port, asked, chance)
    await _assert_serves_as_ever(server.port, kept)
    names = {item["id"]: item["name"] for item in await list_items(server.port)}
    assert not [name for name in names.values() if name.startswith("cut")], "a request that was cut has run"
    assert {item_id: names.get(item_id) for item_id in kept} == kept


async def test_clients_that_leave_before_the_answer_leave_pool_and_log_whole(server: Server) -> None:
    chance = random.Random(SEED)
    answers = [await ask(server.port, "POST", "/items", new_item(f"item {number}")) for number in range(CUTS)]
    items = [answer.json()["id"] for answer in answers]
    asked = []
    for number, item_id in enumerate(items[: CUTS // 2]):
        kinds = [
            request("POST", "/items", new_item(f"unheard {number}")),
            request("DELETE", f"/items/{item_id}"),
            request("GET", f"/items/{item_id}"),
            request("GET", "/items"),
        ]
        asked.append(chance.choice(kinds))
    await _send_in_groups(server.port, asked, chance)
    untouched = dict.fromkeys(items[CUTS // 2 :], "")
    await _assert_serves_as_ever(server.port, untouched)
    listed = await list_items(server.port)
    # Some were carried out with nobody left to hear it: else they were all gone too soon to test anything.
    assert [item for item in listed if item["name"].startswith("unheard")]
    assert untouched.keys() <= {item["id"] for item in listed}


async def _send_in_groups(port: int, asked: list[bytes], chance: random.Random) -> None:
    for start in range(0, len(asked), AT_ONCE):
        leaving = [
            _send_and_leave(port, data, chance.choice([0, 0.0005, 0.002, 0.01]), chance.random() < 0.5)
            for data in asked[start : start + AT_ONCE]
        ]
        await asyncio.gather(*leaving)
