"""Several processes on one PostgreSQL: one log, without a gap, in commit order."""

import asyncio
from collections import Counter

from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.events import ItemCreated, RecordedEvent
from tests.support.clients.load import Client, ask, new_item
from tests.support.fold import assert_log_and_projection_agree
from tests.support.recorded import read_all
from tests.support.scale import SCALE
from tests.support.service import migrate, serving

CREATES = 1_000 * SCALE  # by each of two processes
CONNECTIONS = 16  # to each


async def _create(port: int, process: int, connection: int) -> dict[int, str]:
    """Create one connection's share of the items and give their names by id."""
    acknowledged = {}
    async with Client.connected(port) as client:
        for number in range(connection, CREATES, CONNECTIONS):
            name = f"{process}-{number}"
            answer = await client.ask("POST", "/items", new_item(name))
            assert answer.status == 201, answer
            acknowledged[answer.json()["id"]] = name
    return acknowledged


async def _tail(database: Database, until: asyncio.Event) -> list[RecordedEvent]:
    """Follow the log by position alone, never looking back, until the writers are done and there is no more."""
    seen: list[RecordedEvent] = []
    while True:
        last_look = until.is_set()
        async with database.reader.connect() as connection:
            news = await connection.run_sync(read_all, seen[-1].position if seen else 0)
        seen += news
        if last_look and not news:
            return seen
        await asyncio.sleep(0)


async def test_a_reader_that_tails_two_writers_skips_nothing(postgres_url: str) -> None:
    await migrate(postgres_url)
    database = open_database(postgres_url)
    try:
        with serving(postgres_url) as one, serving(postgres_url) as two:
            acknowledged: dict[int, str] = {}
            done = asyncio.Event()
            # A group, so that the first wrong answer ends the test.
            async with asyncio.TaskGroup() as group:
                tail = group.create_task(_tail(database, done))
                shares = [
                    group.create_task(_create(port, process, connection))
                    for process, port in enumerate((one.port, two.port))
                    for connection in range(CONNECTIONS)
                ]
                for share in shares:
                    names = await share
                    assert not acknowledged.keys() & names.keys(), "two items have one id"
                    acknowledged |= names
                done.set()
            seen = tail.result()
        assert [event.position for event in seen] == list(range(1, 2 * CREATES + 1))
        recorded = {event.item_id: event.event.name for event in seen if isinstance(event.event, ItemCreated)}
        assert recorded == acknowledged
        # The two really took turns: else this test would have shown nothing.
        turns = sum(a[0] != b[0] for a, b in zip(recorded.values(), list(recorded.values())[1:], strict=False))
        assert turns > 20
        await assert_log_and_projection_agree(database)
    finally:
        await database.dispose()


async def test_every_one_of_several_workers_answers(postgres_url: str) -> None:
    await migrate(postgres_url)
    with serving(postgres_url, "--workers", "2") as server:
        answered: Counter[str] = Counter()
        async with asyncio.timeout(300):
            while len(answered) < 2:
                body = new_item("from any worker")
                answers = await asyncio.gather(*(ask(server.port, "POST", "/items", body) for _ in range(32)))
                assert {answer.status for answer in answers} == {201}
                # A generated request id is the process's own prefix and a counter of 8 digits.
                answered.update(answer.headers["x-request-id"][:-8] for answer in answers)
        assert len(answered) == 2
    database = open_database(postgres_url)
    await assert_log_and_projection_agree(database)
    await database.dispose()
