"""Processes notify each other of commits, and again after a lost connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
from sqlalchemy import make_url

from eventstore.database.database import Database
from eventstore.errors import UnavailableError
from tests.eventstore.recording import opened
from tests.support.postgres import PostgresServer

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Relay:
    """One process's end."""

    def __init__(self, database: Database) -> None:
        self.committed = asyncio.Event()
        self.heard: asyncio.Queue[None] = asyncio.Queue()
        hear = partial(self.heard.put_nowait, None)
        self.task: asyncio.Task[None] = asyncio.create_task(database.relay_notifications(self.committed, hear))

    async def hears(self) -> None:
        """Wait for a notification."""
        async with asyncio.timeout(300):
            await self.heard.get()


@asynccontextmanager
async def relaying(database: Database) -> AsyncIterator[Relay]:
    relay = Relay(database)
    yield relay
    relay.task.cancel()
    with suppress(asyncio.CancelledError, UnavailableError):
        await relay.task


@on_postgresql
async def test_other_processes_hear_of_a_commit_and_the_sender_does_not(database: Database, database_url: str) -> None:
    async with opened(database_url) as elsewhere, relaying(database) as ours, relaying(elsewhere) as theirs:
        # Each is woken once when it begins to listen, since it may have missed a notification.
        await ours.hears()
        await theirs.hears()
        for _ in range(3):
            ours.committed.set()
            await theirs.hears()
        theirs.committed.set()
        await ours.hears()
        ours.committed.set()
        await theirs.hears()
        # Its own notification would have come before.
        assert (ours.heard.qsize(), theirs.heard.qsize()) == (0, 0)


@on_postgresql
async def test_a_lost_relay_connection_is_reported_and_can_be_reopened(
    database: Database, database_url: str, postgres_server: PostgresServer
) -> None:
    where = f"datname = '{make_url(database_url).database}' AND query LIKE '%LISTEN%'"
    async with relaying(database) as relay:
        await relay.hears()
        ended = postgres_server.execute(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {where}")
        assert ended == "1"
        with pytest.raises(UnavailableError):
            await asyncio.wait_for(relay.task, 300)
    async with relaying(database) as relay:
        await relay.hears()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_relay_of_sqlite_does_nothing(database: Database) -> None:
    async with relaying(database) as relay:
        relay.committed.set()
        await asyncio.sleep(0.02)
        assert relay.heard.empty()
        assert not relay.task.done()
