"""Rebuilds in a loop under two processes that write: none waits for another for ever, and no request fails."""

import asyncio
from itertools import count, cycle, islice

from sqlalchemy import text

from projections import PROJECTIONS
from projections.rebuild.rebuild import Options, rebuild
from tests.eventstore.recording import execute, opened
from tests.support.checks import assert_stopped_well, assert_whole
from tests.support.clients.load import Client, new_item
from tests.support.rebuilding import OF_ANOTHER_VERSION
from tests.support.scale import SCALE
from tests.support.service import migrate, serving

CONNECTIONS = 4  # to each process
REBUILDS = 3 * SCALE  # of each projection
#: Seconds between two writes of a connection, so that a rebuild on a busy machine catches up with them.
PAUSE = 0.02

_DEADLOCKS = text(
    "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
)


async def _write(port: int, done: asyncio.Event) -> int:
    """Create, change and delete items until `done`; return the number of writes."""
    async with Client.connected(port) as client:
        for number in count(1):
            created = await client.ask("POST", "/items", new_item(f"Item {number}"))
            assert created.status == 201, created
            path = f"/items/{created.json()['id']}"
            changed = await client.ask("PATCH", path, b'{"price": %d}' % number)
            assert changed.status == 200, changed
            deleted = await client.ask("DELETE", path)
            assert deleted.status == 204, deleted
            if done.is_set():
                return 3 * number
            await asyncio.sleep(PAUSE)
    raise AssertionError


async def test_rebuilds_in_a_loop_under_two_writing_processes_meet_no_deadlock(postgres_url: str) -> None:
    await migrate(postgres_url)
    done = asyncio.Event()
    with serving(postgres_url) as one, serving(postgres_url) as two:
        async with opened(postgres_url, long_running=True) as database, asyncio.TaskGroup() as group:
            writers = [
                group.create_task(_write(server.port, done)) for server in (one, two) for _ in range(CONNECTIONS)
            ]
            try:
                for swapped in islice(cycle([True, False]), REBUILDS):
                    if swapped:
                        await execute(database, *OF_ANOTHER_VERSION)
                    for projection in PROJECTIONS:
                        report = await rebuild(database, projection, Options())
                        assert (report.rows_differ, report.swapped) == (0, swapped), report.samples
            finally:
                done.set()
        assert sum(writer.result() for writer in writers) > CONNECTIONS * 3 * 2
        async with opened(postgres_url) as database:
            assert [row.deadlocks for row in await database.read(_DEADLOCKS)] == [0]
        for server in (one, two):
            server.terminate()
            assert_stopped_well(server)
    await assert_whole(postgres_url)
