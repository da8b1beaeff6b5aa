"""Bulk submissions: all commands or none, written alone, and without blocking other submissions."""

import asyncio
from decimal import Decimal

import pytest

from commands.batch import Recorded
from commands.errors import ItemNotFoundError, QueueFullError
from commands.item import ChangeItem, Command, CreateItem
from commands.writer import Writer
from eventstore.database.database import Database
from eventstore.item import LiveItem
from tests.commands.test_writer import events, log_locked, settle
from tests.support.fold import assert_log_and_projection_agree
from tests.support.writing import create, metadata, writing


def pens(count: int) -> list[Command]:
    return [CreateItem(f"Pen {number}", Decimal(number)) for number in range(count)]


def bulk(writer: Writer, count: int = 100) -> "asyncio.Task[Recorded]":
    return asyncio.create_task(writer.submit(*pens(count), metadata=metadata()))


async def test_all_commands_of_a_submission_take_effect_in_their_order(database: Database) -> None:
    async with writing(database) as writer:
        await create(writer)
        recorded = await bulk(writer, 1000)
    assert recorded.position == 1001
    assert [item_id for item_id, _ in recorded.items] == list(range(2, 1002))
    assert [item for _, item in recorded.items] == [LiveItem(1, f"Pen {n}", Decimal(n), True) for n in range(1000)]
    await assert_log_and_projection_agree(database)


async def test_one_rejected_command_rejects_its_whole_submission_and_no_other(database: Database) -> None:
    async with writing(database) as writer, asyncio.TaskGroup() as group:
        wrong = [*pens(3), ChangeItem(99, name="Ink"), *pens(3)]
        outcome = asyncio.gather(writer.submit(*wrong, metadata=metadata()), return_exceptions=True)
        other = group.create_task(create(writer))
    (error,) = await outcome
    assert isinstance(error, ItemNotFoundError)
    assert (await other).position == await events(database) == 1
    await assert_log_and_projection_agree(database)


async def test_commands_of_one_submission_see_each_other(database: Database) -> None:
    async with writing(database) as writer:
        recorded = await writer.submit(*pens(1), ChangeItem(1, name="Ink"), metadata=metadata())
    assert recorded.items == ((1, LiveItem(2, "Ink", Decimal(0), True)),) * 2
    await assert_log_and_projection_agree(database)


async def test_waiting_commands_run_before_the_next_bulk_submission(database: Database) -> None:
    async with writing(database, max_batch=8) as writer:
        async with log_locked(database):
            first, second, third = bulk(writer), bulk(writer), bulk(writer)
            await settle()  # the first is being written
            others = [asyncio.create_task(create(writer)) for _ in range(40)]
            await settle()
        written = [(await other).position for other in others]
        assert (await first).position == 100
        assert sorted(written) == list(range(101, 141))
        assert [(await second).position, (await third).position] == [240, 340]
    await assert_log_and_projection_agree(database)


async def test_a_small_group_of_commands_is_not_a_bulk_submission(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.writer._BULK_SHARE", 1e-9)
    monkeypatch.setattr("commands.writer._MAX_BULK_PAUSE_SECONDS", 1e9)
    async with writing(database, max_batch=8) as writer:
        assert (await bulk(writer, 9)).position == 9
        assert (await create(writer)).position == 10
        never = bulk(writer, 9)  # as long as the writer is open
        few = await asyncio.gather(*(bulk(writer, 8) for _ in range(3)), create(writer))
        assert [one.position for one in few] == [18, 26, 34, 35]
        assert not never.done()
    assert (await never).position == 44
    await assert_log_and_projection_agree(database)


async def test_bulk_submissions_do_not_wait_while_there_are_no_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.writer._BULK_SHARE", 1e-9)  # a submission that had to wait would wait for weeks
    monkeypatch.setattr("commands.writer._MAX_BULK_PAUSE_SECONDS", 1e9)
    async with writing(database) as writer:
        for position in (100, 200, 300):
            assert (await bulk(writer)).position == position
        assert (await create(writer)).position == 301
        waiting = bulk(writer)
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert (await create(writer)).position == 302  # a later one does not
    # The writer was closed: waiting submissions are still written.
    assert (await waiting).position == 402


async def test_a_full_bulk_queue_refuses_bulk_submissions_but_not_single_commands(
    database: Database,
) -> None:
    async with writing(database, max_bulk=2) as writer:
        async with log_locked(database):
            waiting = [bulk(writer)]
            await settle()  # being written, so that it no longer waits
            waiting += [bulk(writer), bulk(writer)]
            await asyncio.sleep(0)
            with pytest.raises(QueueFullError):
                await bulk(writer)
            single = asyncio.create_task(create(writer))
            await settle()
        assert (await single).position == 101
        assert [(await one).position for one in waiting] == [100, 201, 301]
