"""A time limit makes no timer for work that does not wait, and ends work that does."""

import asyncio

import pytest

from api.http.timeouts import within
from tests.support.clients.http import JSON, call, part
from tests.support.service import InProcess

BODY = b'{"name":"a","price":1}'


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Record the delay of each timer that asyncio.timeout makes."""
    made: list[float | None] = []
    original = asyncio.timeout

    def timeout(delay: float | None) -> asyncio.Timeout:
        made.append(delay)
        return original(delay)

    monkeypatch.setattr(asyncio, "timeout", timeout)
    return made


async def test_a_complete_body_makes_no_timer(small: InProcess, timers: list[float | None]) -> None:
    answer = await call(small.app, "POST", "/items", part(BODY), headers=list(JSON.items()))
    assert answer is not None
    assert answer.status_code == 201
    assert small.app.settings.body_timeout not in timers


async def test_a_body_that_is_not_there_yet_makes_one(small: InProcess, timers: list[float | None]) -> None:
    answer = await call(small.app, "POST", "/items", part(BODY[:9], more=True), headers=list(JSON.items()))
    assert answer is not None
    assert answer.status_code == 408
    assert timers.count(small.app.settings.body_timeout) == 1


async def test_work_that_waits_returns_its_result() -> None:
    async def work() -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        return await asyncio.create_task(asyncio.sleep(0, "done"))

    assert await within(60, work()) == "done"


@pytest.mark.parametrize("waits", [0, 1, 2])
async def test_an_error_of_the_work_is_raised(waits: int) -> None:
    async def work() -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        await within(60, work())


async def test_work_that_takes_too_long_is_cancelled_and_can_clean_up() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    with pytest.raises(TimeoutError):
        await within(0.01, work())
    assert cleaned == ["up"]


async def test_a_cancellation_reaches_the_work() -> None:
    cancelled: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    task = asyncio.create_task(within(60, work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled == [True]


async def test_work_may_go_on_after_an_error_that_it_waited_for() -> None:
    async def fail() -> None:
        raise LookupError

    async def work() -> str:
        try:
            await asyncio.create_task(fail())
        except LookupError:
            await asyncio.sleep(0)
        return "recovered"

    assert await within(60, work()) == "recovered"
