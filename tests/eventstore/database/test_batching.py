"""Concurrent look-ups share queries, but never one that had begun before they were requested."""

import asyncio
from collections.abc import Sequence

import pytest

from eventstore.database.batching import Batched


class Source:
    """Answers look-ups on request, and records which keys were looked up together."""

    def __init__(self, max_batch: int = 256) -> None:
        self.asked: list[list[int]] = []
        self.answer: asyncio.Queue[str | Exception] = asyncio.Queue()
        self.batched = Batched(self._load, max_batch)

    async def _load(self, keys: Sequence[int]) -> dict[int, str]:
        self.asked.append(list(keys))
        answer = await self.answer.get()
        if isinstance(answer, Exception):
            raise answer
        return {key: f"{answer} {key}" for key in keys}

    async def ask(self, *keys: int) -> list[asyncio.Task[str]]:
        """Request each key in a task of its own, and let all of them run as far as they can."""
        tasks = [asyncio.create_task(self.batched.get(key)) for key in keys]
        await self.freeze_gc()
        return tasks

    async def freeze_gc(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_concurrent_look_ups_share_a_query() -> None:
    source = Source()
    source.answer.put_nowait("a")
    tasks = await source.ask(1, 2, 1, 3, 2)
    assert await asyncio.gather(*tasks) == ["a 1", "a 2", "a 1", "a 3", "a 2"]
    assert source.asked == [[1, 2, 3]]


async def test_a_look_up_never_joins_a_query_that_has_begun() -> None:
    source = Source()
    first = await source.ask(1)
    second = await source.ask(1, 2)
    third = await source.ask(2, 3)
    assert source.asked == [[1]]
    source.answer.put_nowait("before")
    await source.freeze_gc()
    assert source.asked == [[1], [1, 2, 3]]
    source.answer.put_nowait("after")
    assert await asyncio.gather(*first, *second, *third) == ["before 1", "after 1", "after 2", "after 2", "after 3"]


async def test_a_query_looks_up_at_most_max_batch_keys() -> None:
    source = Source(max_batch=3)
    for answer in "abc":
        source.answer.put_nowait(answer)
    tasks = await source.ask(*range(8), *range(8))
    expected = [f"{'abc'[key // 3]} {key}" for key in range(8)]
    assert await asyncio.gather(*tasks) == expected * 2
    assert source.asked == [[0, 1, 2], [3, 4, 5], [6, 7]]


async def test_an_error_goes_to_all_who_share_the_query_and_to_no_others() -> None:
    source = Source(max_batch=2)
    source.answer.put_nowait(LookupError("lost"))
    source.answer.put_nowait("found")
    answers = await asyncio.gather(*await source.ask(1, 2, 3, 1), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["lost", "lost", "found 3", "lost"]
    source.answer.put_nowait("again")
    assert await source.batched.get(1) == "again 1"


@pytest.mark.parametrize("running", [False, True])
async def test_a_cancelled_caller_does_not_cancel_the_others(running: bool) -> None:
    source = Source()
    busy = [] if running else await source.ask(0)
    one, other, another = await source.ask(1, 1, 2)
    one.cancel()
    await source.freeze_gc()
    assert one.cancelled()
    for _ in range(2):
        source.answer.put_nowait("a")
    assert await asyncio.gather(*busy, other, another) == [*["a 0"] * len(busy), "a 1", "a 2"]


async def test_an_error_without_a_waiting_caller_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    tasks = await source.ask(1, 2)
    for task in tasks:
        task.cancel()
    await source.freeze_gc()
    source.answer.put_nowait(LookupError("lost"))
    await source.freeze_gc()
    source.answer.put_nowait("found")
    assert await source.batched.get(1) == "found 1"
    assert caplog.records == []  # asyncio logs an exception that was never retrieved
