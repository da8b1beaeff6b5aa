"""The group commit: which commands share a transaction, when they return, and that none harms another."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only

from commands.batch import Recorded
from commands.errors import ItemNotFoundError, QueueFullError, WriterClosedError
from commands.item import DeleteItem
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.item import DeletedItem, LiveItem
from eventstore.log.head import lock_head
from tests.eventstore.recording import opened
from tests.support.fold import assert_log_and_projection_agree
from tests.support.recorded import read_all
from tests.support.writing import create, metadata, writing


async def events(database: Database) -> int:
    """Count the committed events that another process would see."""
    other = open_database(database.url.render_as_string(hide_password=False))
    counted = (await other.read(text("SELECT count(*) FROM events")))[0][0]
    await other.dispose()
    return int(counted)


@asynccontextmanager
async def log_locked(database: Database) -> AsyncIterator[None]:
    """Hold the append lock on another connection, so that the writer waits in its transaction."""
    other = open_database(database.url.render_as_string(hide_password=False))
    locked, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(connection: Connection) -> None:
        with connection.begin():
            lock_head(connection)
            loop.call_soon_threadsafe(locked.set)
            if database.url.get_backend_name() == "sqlite":  # a thread of its own, since it may block
                asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
            else:
                await_only(release.wait())

    holding = asyncio.create_task(other.write(hold))
    await locked.wait()
    try:
        yield
    finally:
        release.set()
        await holding
        await other.dispose()


async def settle() -> None:
    """Run the event loop until the writer has taken the submissions that it can take."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_concurrent_commands_share_few_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = 0
    append = database.append

    async def counting(*arguments: Any, **options: Any) -> Any:
        nonlocal transactions
        transactions += 1
        return await append(*arguments, **options)

    monkeypatch.setattr(database, "append", counting)
    async with writing(database, max_batch=64) as writer:
        recorded = await asyncio.gather(*(create(writer) for _ in range(640)))
    assert sorted(one.item_id for one in recorded) == list(range(1, 641))
    assert 640 / 64 <= transactions <= 640 / 64 + 1
    await assert_log_and_projection_agree(database)


async def test_submit_returns_after_the_commit(database: Database) -> None:
    async with writing(database) as writer:
        for count in range(1, 6):
            assert (await create(writer)).position == count == await events(database)


async def test_a_rejected_command_does_not_reject_its_batch(database: Database) -> None:
    async with writing(database) as writer:
        item = await create(writer)
        outcomes = await asyncio.gather(
            create(writer),
            writer.submit(DeleteItem(999), metadata=metadata()),
            writer.submit(DeleteItem(item.item_id), metadata=metadata()),
            writer.submit(DeleteItem(item.item_id), metadata=metadata()),
            create(writer),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes] == [
        Recorded,
        ItemNotFoundError,
        Recorded,
        ItemNotFoundError,
        Recorded,
    ]
    assert await events(database) == 4
    await assert_log_and_projection_agree(database)


async def test_commands_in_one_batch_see_each_other_in_their_order(database: Database) -> None:
    async with writing(database) as writer, log_locked(database):
        waiting = asyncio.create_task(create(writer))  # occupies the writer, so that the next two share a batch
        await settle()
        pair = [
            asyncio.create_task(create(writer)),
            asyncio.create_task(writer.submit(DeleteItem(2), metadata=metadata())),
        ]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in (waiting, *pair))
    assert isinstance((await pair[0]).item, LiveItem)
    assert isinstance((await pair[1]).item, DeletedItem)
    await assert_log_and_projection_agree(database)


#: The drivers' errors for a row that the database refuses.
REFUSALS = (sqlite3.IntegrityError, asyncpg.RaiseError)
_POISON = {
    "sqlite": (
        "CREATE TRIGGER poison BEFORE INSERT ON items WHEN NEW.name = 'poison' "
        "BEGIN SELECT RAISE(ABORT, 'poisoned'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.name = 'poison' THEN RAISE EXCEPTION 'poisoned'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER poison BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION poison()",
    ),
}


async def test_a_poison_command_does_not_fail_its_neighbours(database: Database, database_url: str) -> None:
    def lay_poison(connection: Connection) -> None:
        with connection.begin():
            for statement in _POISON[connection.dialect.name]:
                connection.exec_driver_sql(statement)

    async with opened(database_url) as owner:
        await owner.write(lay_poison)
    names = ["poison" if n in (7, 20) else f"Pen {n}" for n in range(64)]
    async with writing(database) as writer:
        outcomes = await asyncio.gather(*(create(writer, name) for name in names), return_exceptions=True)
        failed = [name for name, outcome in zip(names, outcomes, strict=True) if isinstance(outcome, REFUSALS)]
        assert failed == ["poison", "poison"]
        assert sum(isinstance(outcome, Recorded) for outcome in outcomes) == 62 == await events(database)
        await create(writer)
    await assert_log_and_projection_agree(database)


async def test_a_full_queue_refuses_at_once_and_loses_nothing(database: Database) -> None:
    async with writing(database, max_queue=4) as writer:
        async with log_locked(database):
            writing_now = asyncio.create_task(create(writer))
            await settle()  # it has left the queue and waits for the lock
            queued = [asyncio.create_task(create(writer)) for _ in range(4)]
            await asyncio.sleep(0)
            with pytest.raises(QueueFullError):
                await create(writer)
            assert await events(database) == 0
        assert {(await task).position for task in (writing_now, *queued)} == {1, 2, 3, 4, 5}


async def test_cancelling_the_caller_does_not_cancel_the_command(database: Database) -> None:
    async with writing(database) as writer:
        async with log_locked(database):
            in_flight = asyncio.create_task(create(writer))
            await settle()
            queued = asyncio.create_task(create(writer))
            await asyncio.sleep(0)
            for task in (in_flight, queued):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
        assert (await create(writer)).position == 3
    await assert_log_and_projection_agree(database)


async def test_close_writes_the_waiting_commands_and_refuses_new_ones(database: Database) -> None:
    async with writing(database, max_batch=2) as writer:
        waiting = [asyncio.create_task(create(writer)) for _ in range(7)]
        await asyncio.sleep(0)
        await writer.close()
        assert not writer.alive
        assert sorted([(await task).position for task in waiting]) == list(range(1, 8))
        with pytest.raises(WriterClosedError):
            await create(writer)
    assert await events(database) == 7


async def test_time_in_the_log_never_goes_back(database: Database) -> None:
    readings = iter([5_000_000, 3_000_000, 7_000_000])
    async with writing(database, clock=lambda: next(readings)) as writer:
        for _ in range(3):
            await create(writer)
    recorded = await database.write(read_all)
    assert [event.recorded_at for event in recorded] == [5_000_000, 5_000_000, 7_000_000]
