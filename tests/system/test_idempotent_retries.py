"""One key sent many times at once, to one process or to two: one effect, and one answer for all."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from eventstore.database.engine import open_database
from tests.support.checks import assert_whole
from tests.support.clients.load import Client, new_item
from tests.support.clients.retries import Write, assert_one_effect_each, essence, was_replayed
from tests.support.scale import SCALE
from tests.support.service import migrate, serving

KEYS = 40 * SCALE
SENDS = 50  # of each key, at once
LANES = 2  # keys at once


def _create(number: int, _item_id: int) -> Write:
    return Write(f"key-{number}", "POST", "/items", new_item(f"of key {number}"))


def _create_batch(number: int, _item_id: int) -> Write:
    items = b",".join(new_item(f"{place} of key {number}") for place in range(3))
    return Write(f"key-{number}", "POST", "/items/batch", b"[%b]" % items, 3)


def _change(number: int, item_id: int) -> Write:
    return Write(f"key-{number}", "PATCH", f"/items/{item_id}", b'{"price":%d}' % (number + 10))


def _delete(number: int, item_id: int) -> Write:
    return Write(f"key-{number}", "DELETE", f"/items/{item_id}")


def _restore(number: int, item_id: int) -> Write:
    return Write(f"key-{number}", "POST", f"/items/{item_id}/restore")


_KINDS: Sequence[tuple[Callable[[int, int], Write], int]] = (
    (_create, 201),
    (_create_batch, 201),
    (_change, 200),
    (_delete, 204),
    (_restore, 200),
)


async def _prepare(port: int) -> list[tuple[Write, int]]:
    """Create the items that keys will change, delete or restore; return each key's write and expected status."""
    writes = []
    async with Client.connected(port) as client:
        for number in range(KEYS):
            kind, status = _KINDS[number % len(_KINDS)]
            item_id = 0
            if kind in (_change, _delete, _restore):
                item_id = (await client.ask("POST", "/items", new_item(f"for key {number}"))).json()["id"]
            if kind is _restore:
                assert (await client.ask("DELETE", f"/items/{item_id}")).status == 204
            writes.append((kind(number, item_id), status))
    return writes


async def _send_all(ports: Sequence[int], writes: Sequence[tuple[Write, int]]) -> Counter[str]:
    """Send each write many times at once, spread over the ports; fail unless all its answers are one."""
    seen: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(Client.connected(ports[number % len(ports)])) for number in range(SENDS)
        ]
        for write, status in writes:
            answers = await asyncio.gather(*(write.send(client) for client in clients))
            assert [answer.status for answer in answers] == [status] * SENDS, (write, answers)
            assert len(set(map(essence, answers))) == 1, (write, answers)
            assert sum(map(was_replayed, answers)) == SENDS - 1, (write, answers)
            (first,) = (place for place, answer in enumerate(answers) if not was_replayed(answer))
            seen[f"port {first % len(ports)}"] += 1
    return seen


async def _assert_one_effect_each(url: str, ports: Sequence[int]) -> Counter[str]:
    writes = await _prepare(ports[0])
    sent = await asyncio.gather(*(_send_all(ports, writes[lane::LANES]) for lane in range(LANES)))
    # Long afterwards, too, and wherever it is sent: what was answered is in the log.
    for number, (write, status) in enumerate(writes[:: KEYS // 20]):
        async with Client.connected(ports[number % len(ports)]) as client:
            answer = await write.send(client)
            assert (answer.status, was_replayed(answer)) == (status, True), (write, answer)
    database = open_database(url)
    await assert_one_effect_each(database, [write for write, _ in writes])
    await database.dispose()
    await assert_whole(url)
    return sum(sent, Counter[str]())


async def test_50_sends_of_a_key_to_two_processes_at_once_have_one_effect_and_one_answer(postgres_url: str) -> None:
    await migrate(postgres_url)
    with serving(postgres_url) as one, serving(postgres_url) as two:
        seen = await _assert_one_effect_each(postgres_url, [one.port, two.port])
    # Each was the first now and then: else the two would not have met.
    assert min(seen["port 0"], seen["port 1"]) > KEYS / 20, seen


async def test_50_sends_of_a_key_to_one_process_at_once_have_one_effect_and_one_answer(sqlite_url: str) -> None:
    with serving(sqlite_url) as server:
        await _assert_one_effect_each(sqlite_url, [server.port])
