"""Concurrent look-ups share queries, but never one that had begun before they were requested."""

import asyncio
from collections.abc import Sequence

import pytest

from eventstore.batching import Batched
from eventstore.errors import UnavailableError


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


class Silent:
    """A source whose loads end only where the test lets them."""

    def __init__(self, max_loads: int = 2, timeout_seconds: float | None = None) -> None:
        self.loads: list[tuple[list[int], asyncio.Event]] = []
        self.most_at_once = self._at_once = 0
        self.batched = Batched(self._load, max_loads=max_loads, timeout_seconds=timeout_seconds)

    async def _load(self, keys: Sequence[int]) -> dict[int, int]:
        answer = asyncio.Event()
        self.loads.append((list(keys), answer))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await answer.wait()
        finally:
            self._at_once -= 1
        return {key: key * 10 for key in keys}

    async def ask(self, *keys: int) -> list[asyncio.Task[int]]:
        tasks = [asyncio.create_task(self.batched.get(key)) for key in keys]
        for _ in range(5):
            await asyncio.sleep(0)
        return tasks


@pytest.mark.parametrize("max_loads", [1, 2, 3])
async def test_at_most_max_loads_run_at_once(max_loads: int) -> None:
    source = Silent(max_loads)
    tasks = [task for key in range(20) for task in await source.ask(key)]
    assert source.most_at_once == len(source.loads) == max_loads
    while not all(task.done() for task in tasks):
        for _, answer in source.loads:
            answer.set()
        await asyncio.sleep(0)
    assert [task.result() for task in tasks] == [key * 10 for key in range(20)]
    assert source.most_at_once == max_loads
    assert [keys for keys, _ in source.loads[:max_loads]] == [[key] for key in range(max_loads)]


async def test_keys_beyond_one_batch_are_looked_up_at_once_by_the_other_load() -> None:
    source = Source(max_batch=2)
    source.batched._max_loads = 2
    tasks = await source.ask(*range(5))
    assert source.asked == [[0, 1], [2, 3]]
    for answer in "abc":
        source.answer.put_nowait(answer)
    assert [answer[1:] for answer in await asyncio.gather(*tasks)] == [f" {key}" for key in range(5)]
    assert source.asked[2:] == [[4]]


async def test_look_ups_go_on_beside_a_load_that_never_answers() -> None:
    source = Silent()
    (silent,) = await source.ask(1)
    for key in range(2, 10):
        (task,) = await source.ask(key)
        source.loads[-1][1].set()
        assert await task == key * 10
    assert not silent.done()
    (again,) = await source.ask(1)  # not joined: that load may not see what was committed since
    source.loads[-1][1].set()
    assert await again == 10
    assert not silent.done()
    silent.cancel()


async def test_a_load_without_an_answer_is_unavailable_after_the_limit_and_its_slot_is_free_again() -> None:
    source = Silent(max_loads=1, timeout_seconds=0.01)
    waiting = await source.ask(1) + await source.ask(2)
    assert [keys for keys, _ in source.loads] == [[1]]
    for task in waiting:  # each is limited by itself
        with pytest.raises(UnavailableError):
            await task
    assert [keys for keys, _ in source.loads] == [[1], [2]]
    (task,) = await source.ask(3)
    source.loads[-1][1].set()
    assert await task == 30


async def test_a_look_up_that_comes_as_a_load_ends_is_not_forgotten() -> None:
    """The task of a load must not count as running once it has looked for the last time."""
    source = Source()
    for turns in range(6):
        source.answer.put_nowait("a")
        first = asyncio.create_task(source.batched.get(1))
        for _ in range(turns):
            await asyncio.sleep(0)
        source.answer.put_nowait("b")
        async with asyncio.timeout(60):
            await asyncio.gather(first, source.batched.get(2))
        while not source.answer.empty():
            source.answer.get_nowait()
