"""A rebuild that is stopped at a bad moment."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import RootTransaction

from eventstore.database.database import Database
from eventstore.database.failures import commit
from eventstore.database.sqlite.database import SqliteDatabase
from eventstore.log.write_set import RowChanges
from projections.items.items import ITEMS
from projections.rebuild import rebuild_state
from projections.rebuild.compare import Comparison
from projections.rebuild.rebuild import Options, rebuild
from tests.eventstore.recording import created, record
from tests.support.fold import assert_log_and_projection_agree


async def test_a_rebuild_that_is_stopped_after_its_commit_has_succeeded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(database, [created(item) for item in range(1, 100)])
    loop = asyncio.get_running_loop()

    def late(transaction: RootTransaction) -> None:
        commit(transaction)
        if not isinstance(database, SqliteDatabase):
            running.cancel()
            return
        stopped = threading.Event()

        def stop() -> None:
            running.cancel()
            stopped.set()

        loop.call_soon_threadsafe(stop)
        stopped.wait()

    monkeypatch.setattr("projections.rebuild.rebuild.commit", late)
    running = asyncio.create_task(rebuild(database, ITEMS, Options()))
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    known = (await rebuild_state.find_all(database))["items"]
    assert known.state == "succeeded"
    assert known.report is not None
    assert known.report.position == 99
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_comparison_in_a_thread_is_stopped_with_its_rebuild(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(database, [created(item) for item in range(1, 100)])
    loop, comparing = asyncio.get_running_loop(), asyncio.Event()

    def endless(_self: Comparison, _connection: Connection, _overlay: RowChanges, tick: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(comparing.set)
        began = time.monotonic()
        while time.monotonic() - began < 300:
            tick()
            time.sleep(0.01)

    monkeypatch.setattr(Comparison, "all", endless)
    running = asyncio.create_task(rebuild(database, ITEMS, Options()))
    await comparing.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await rebuild_state.find_all(database))["items"].state == "interrupted"
    async with asyncio.timeout(200):
        await database.read_transaction(lambda connection: None)  # in the same thread


async def test_a_rebuild_that_ends_while_its_state_is_read_is_not_shown_as_interrupted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(database, [created(1)])
    await rebuild(database, ITEMS, Options())
    run = (await rebuild_state.find_all(database))["items"].run

    async def store(state: str) -> None:
        def write(connection: Connection) -> None:
            with connection.begin():
                rebuild_state.note(connection, "items", run, state=state)

        await database.write(write)

    async def ends(_name: str) -> bool:
        await store("cancelled")
        return False

    await store("running")
    monkeypatch.setattr(database, "is_locked", ends)
    assert (await rebuild_state.find_all(database))["items"].state == "cancelled"
