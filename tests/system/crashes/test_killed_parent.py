"""A parent that is killed takes its processes with it: they free the port and the locks, and the next start works."""

import os
import signal
import socket
from contextlib import suppress

import pytest

from tests.eventstore.recording import opened
from tests.support.checks import assert_whole
from tests.support.clients.load import ask
from tests.support.rebuilding import EVENTS, fill, known_of, rebuild, under_way, until
from tests.support.service import serving


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port`."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server does
        probe.bind(("127.0.0.1", port))
        return True
    return False


async def test_the_workers_of_a_killed_parent_end_and_free_the_port(postgres_url: str) -> None:
    with serving(postgres_url, "--workers", "2") as server:

        async def port_is_free() -> bool:
            return is_free(server.port)

        assert not await port_is_free()
        os.kill(server.process.pid, signal.SIGKILL)
        await until(port_is_free)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_rebuild_of_a_killed_service_stops_and_can_be_resumed(ready_url: str) -> None:
    async with opened(ready_url) as database:
        await fill(database)

    async def has_ended() -> bool:
        known = await known_of(ready_url)
        return known is not None and known.state != "running"

    with serving(ready_url) as server:
        answer = await ask(server.port, "POST", "/projections/items/rebuild?throttle=100")
        assert answer.status == 202
        await under_way(ready_url)  # on a busy machine the answer comes before its process has begun
        os.kill(server.process.pid, signal.SIGKILL)
        await until(has_ended)
        known = await known_of(ready_url)
        assert known is not None
        assert known.state == "interrupted"
        assert known.cursor.position < EVENTS
    assert rebuild(ready_url).returncode == 0
    await assert_whole(ready_url)
