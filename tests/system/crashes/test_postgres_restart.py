"""PostgreSQL stopped and started under load: the service says so, loses nothing, and goes on by itself."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.checks import assert_whole
from tests.support.clients.ledger import Ledger
from tests.support.clients.load import Answer, Client, list_items
from tests.support.postgres import PostgresServer, StopMode
from tests.support.service import migrate, serving

WRITERS, READERS = 12, 4
MODES: list[StopMode] = ["fast", "immediate"]


@pytest.fixture(scope="module")
def restarted_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that no other test uses, since it is stopped."""
    with PostgresServer() as server:
        yield server


def _check_503(answer: Answer) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    problem = answer.json()
    assert (problem["status"], problem["request_id"]) == (503, answer.headers["x-request-id"])


async def _write(port: int, ledger: Ledger, chance: random.Random, until: asyncio.Event) -> None:
    async with Client.connected(port) as client:
        while not until.is_set():
            answer = await (ledger.delete(client, chance) if chance.random() < 0.2 else ledger.create(client))
            if answer is not None and answer.status == 503:
                _check_503(answer)


async def _read(port: int, path: str, until: asyncio.Event) -> Counter[int]:
    statuses: Counter[int] = Counter()
    async with Client.connected(port) as client:
        while not until.is_set():
            answer = await client.ask("GET", path)
            statuses[answer.status] += 1
            if answer.status == 503:
                _check_503(answer)
    return statuses


async def _recovered(port: int, ledger: Ledger) -> None:
    """Wait until the service takes writes again."""
    async with asyncio.timeout(300), Client.connected(port) as client:
        while True:
            if (await ledger.create(client)).status == 201:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("mode", MODES)
async def test_a_restart_of_postgresql_under_load_costs_only_503s(
    restarted_server: PostgresServer, mode: StopMode
) -> None:
    url = restarted_server.create_database()
    await migrate(url)
    ledger, done = Ledger(), asyncio.Event()
    with serving(url) as server:
        chances = [random.Random(seed) for seed in range(WRITERS)]
        writers = asyncio.gather(*(_write(server.port, ledger, chance, done) for chance in chances))
        paths = ["/items/1", "/items"] * (READERS // 2)
        readers = asyncio.gather(*(_read(server.port, path, done) for path in paths))
        for pause in (0, 1.5):  # at once, and long enough for the writer to give up and say so
            await asyncio.sleep(0.3)
            await asyncio.to_thread(restarted_server.stop, mode)
            await asyncio.sleep(pause)
            await asyncio.to_thread(restarted_server.start)
            await _recovered(server.port, ledger)
        await asyncio.sleep(0.3)
        done.set()
        await writers
        read = sum(await readers, Counter[int]())
        assert set(ledger.statuses) == {201, 204, 503}
        assert set(read) <= {200, 404, 503}  # 404: item 1 may be deleted
        ledger.check(await list_items(server.port))
    await assert_whole(url)
    restarted_server.drop_database(url)
