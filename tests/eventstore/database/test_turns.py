"""Reads take turns: none of a client's many reads comes before all of another's, and a full house is `busy`."""

import asyncio
from contextlib import suppress

import pytest

from api.http import problems
from eventstore.database import turns
from eventstore.database.turns import Turns, reading_for
from eventstore.errors import ReadersBusyError
from tests.support.service import InProcess


async def read(held: Turns, client: str | None, order: list[str | None], go_on: asyncio.Event, rows: int = 0) -> None:
    reading_for.set(client)
    async with held.held() as turn:
        order.append(client)
        await go_on.wait()
        await asyncio.sleep(0)
        turn.rows = rows


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def test_a_client_with_many_reads_leaves_turns_to_the_others() -> None:
    held, order, go_on = Turns(4), list[str | None](), asyncio.Event()
    for client in ("one", "other"):
        held.see(client)
    async with asyncio.TaskGroup() as group:
        for reader in ["one"] * 100 + ["other"] * 2 + [None]:
            group.create_task(read(held, reader, order, go_on))
        await settle()
        assert order == ["one", "other", None]
        go_on.set()
    assert len(order) == 103
    assert order.index("other", 2) < 6, "the second read of the other one comes next"
    assert (held._free, held._used, held._waiting) == (4, {}, {})


async def test_a_client_that_is_alone_has_all_turns() -> None:
    held, order, go_on = Turns(4), list[str | None](), asyncio.Event()
    held.see("one")
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(read(held, "one", order, go_on))
        await settle()
        assert len(order) == 4
        go_on.set()
    assert len(order) == 10


async def test_long_reads_of_a_client_are_apart_while_there_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_ROW_SECONDS", 3600.0)
    held, order, go_on = Turns(4), list[str | None](), asyncio.Event()
    go_on.set()
    for client in ("one", "other"):
        held.see(client)
    reads = [asyncio.create_task(read(held, "one", order, go_on, rows=1000)) for _ in range(3)]
    others = [asyncio.create_task(read(held, "other", order, go_on)) for _ in range(3)]
    await asyncio.gather(*others)
    assert order.count("one") == 1, "its next one comes after a rest"
    assert held._free == 4, "nobody waits for it meanwhile"
    for task in reads:
        task.cancel()
    await asyncio.gather(*reads, return_exceptions=True)


async def test_a_read_that_gets_no_turn_is_refused_as_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_WAIT_SECONDS", 0.05)
    held, order, go_on = Turns(1), list[str | None](), asyncio.Event()
    first = asyncio.create_task(read(held, "one", order, go_on))
    await settle()
    for _ in range(3):
        with pytest.raises(ReadersBusyError) as refused:
            await read(held, "other", order, go_on)
        assert problems.kind_of(refused.value) is problems.BUSY
    go_on.set()
    await first
    await read(held, "other", order, go_on)
    assert (held._free, held._used) == (1, {})


async def test_no_turn_is_lost_with_a_read_that_is_cancelled() -> None:
    held, order, go_on = Turns(2), list[str | None](), asyncio.Event()
    reads = [asyncio.create_task(read(held, f"{number % 3}", order, go_on)) for number in range(30)]
    await settle()
    for task in reads[:2] + reads[10:20]:
        task.cancel()
    await settle()
    go_on.set()
    for task in reads:
        with suppress(asyncio.CancelledError):
            await task
    assert (held._free, held._used, held._waiting) == (2, {}, {})


async def test_reads_of_a_database_take_turns(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with InProcess.over(database_url) as service:
        assert (await service.client.get("/items")).status_code == 200
        monkeypatch.setattr(turns, "_WAIT_SECONDS", 0.05)
        database = service.services.database
        size = database._turns._size
        waiting = asyncio.Event()

        async def hold() -> None:
            async with database._turns.held():
                await waiting.wait()

        holding = [asyncio.create_task(hold()) for _ in range(size)]
        await settle()
        answer = await service.client.get("/items")
        assert (answer.status_code, answer.json()["code"]) == (503, "busy")
        waiting.set()
        await asyncio.gather(*holding)
        assert (await service.client.get("/items")).status_code == 200
