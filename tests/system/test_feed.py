"""Subscribers get every event once and in order, over lost connections and restarted servers."""

import asyncio
import random
from contextlib import ExitStack, suppress

import pytest

from eventstore.database.engine import open_database
from eventstore.log.history import Filter, read
from tests.support.checks import assert_stopped_well, assert_whole
from tests.support.clients.ledger import Ledger
from tests.support.clients.load import Client, LostError, new_item
from tests.support.clients.streams import Consumer, until
from tests.support.scale import SCALE, seed
from tests.support.service import Server, migrate, serving

CONSUMERS = 20 * SCALE
#: So many clients take their time to connect.
LONGER = 1 + CONSUMERS / 100
WRITERS = 4
#: Servers that follow each other; every second one is killed, the others are told to stop.
SERVERS = 2 if SCALE == 1 else 10
SEED = seed(31)
#: What is asked for; most ask for everything.
QUERIES = {
    "": Filter(),
    "?type=item.deleted.v1": Filter(type="item.deleted.v1"),
    "?item_id=1": Filter(item_id=1),
}


class Doors:
    """Where the service is now, for those who come and go."""

    def __init__(self) -> None:
        self.servers: list[Server] = []
        self.closed = False

    async def follow(self, consumer: Consumer, chance: random.Random) -> None:
        """Follow the history for a random time, or until the connection ends, again and again."""
        while not self.closed:
            if self.servers:
                with suppress(LostError, OSError, TimeoutError):
                    async with asyncio.timeout(chance.expovariate(1)):
                        await consumer.follow(chance.choice(self.servers).port)
            await asyncio.sleep(chance.random() * 0.1)


async def history(url: str) -> dict[str, list[int]]:
    """Return the positions of the events that each query asks for."""
    database = open_database(url)
    found = {
        query: [event.position for event in await database.read_transaction(lambda c: list(read(c, chosen, 10**6)))]  # noqa: B023
        for query, chosen in QUERIES.items()
    }
    await database.dispose()
    return found


async def test_everybody_gets_every_event_once_and_in_order_over_disconnects_and_restarts(ready_url: str) -> None:
    chance = random.Random(SEED)
    doors, ledger = Doors(), Ledger()
    queries = [*QUERIES, *[""] * (CONSUMERS - len(QUERIES))]
    consumers = [(query, Consumer(query)) for query in queries]
    following = asyncio.gather(*[doors.follow(c, random.Random(chance.random())) for _, c in consumers])
    processes = 1 if ready_url.startswith("sqlite") else 2
    for number in range(SERVERS):
        with ExitStack() as stack:
            doors.servers = [stack.enter_context(serving(ready_url)) for _ in range(processes)]
            writers = [server.port for server in doors.servers] * WRITERS
            load = asyncio.gather(
                *[ledger.churn(port, random.Random(chance.random()), lambda: True) for port in writers]
            )
            await asyncio.sleep(chance.uniform(0.5, 1) * LONGER)
            enough = len(ledger.created) + 30
            await until(lambda: len(ledger.created) >= enough)  # noqa: B023
            for server in doors.servers:
                server.kill() if number % 2 else server.terminate()
            await load
            for server in doors.servers if number % 2 == 0 else ():
                await asyncio.to_thread(assert_stopped_well, server)
            doors.servers = []
    expected = await history(ready_url)
    assert len(expected[""]) > 50
    with serving(ready_url) as server:
        doors.servers = [server]
        await until(lambda: all(len(c.positions) >= len(expected[query]) for query, c in consumers), 300 * SCALE)
        doors.closed = True
        await following
    for query, consumer in consumers:
        assert consumer.positions == expected[query], query
    assert min(consumer.connections for _, consumer in consumers) > 1
    await assert_whole(ready_url)


@pytest.fixture(params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest) -> tuple[str, tuple[str, ...]]:
    """A database, and the arguments to serve it with: by two processes where it can be."""
    return (
        (request.getfixturevalue("sqlite_url"), ())
        if request.param == "sqlite"
        else (request.getfixturevalue("postgres_url"), ("--workers", "2"))
    )


async def test_a_stop_tells_those_who_follow_and_waits_for_none_of_them(served: tuple[str, tuple[str, ...]]) -> None:
    url, arguments = served
    await migrate(url)
    consumers = [Consumer() for _ in range(8)]
    with serving(url, *arguments) as server:
        following = asyncio.gather(*[consumer.follow(server.port) for consumer in consumers])
        await create(server.port)
        await until(lambda: all(consumer.positions == [1] for consumer in consumers))
        server.terminate()
        # Each stream ends as one that is whole.
        await following
        await asyncio.to_thread(assert_stopped_well, server)


async def create(port: int) -> None:
    async with Client.connected(port) as client:
        assert (await client.ask("POST", "/items", new_item("pen"))).status == 201
