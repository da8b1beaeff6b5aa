"""A wrong clock: it dates no event, the service says so, and goes on when the clock is right again."""

import re
from contextlib import nullcontext
from functools import partial

import pytest

from api.app import run
from api.http.rfc3339 import format_time
from api.secret import SecretUrl
from api.settings import Settings
from api.startup import StartError, check_clock
from eventstore.clock import SECOND, CheckedClock, now, steady
from tests.support.clients.http import check_problem
from tests.support.clients.requests import create
from tests.support.postgres import as_service
from tests.support.service import InProcess

DAY = 86_400 * SECOND
PEN = {"name": "Pen", "price": 1}


class Wall:
    """A clock on the wall that a test sets."""

    def __init__(self, service: InProcess) -> None:
        self.ahead = 0
        service.services.writer._clock = CheckedClock(lambda: now() + self.ahead, steady)


async def test_a_clock_that_runs_ahead_dates_no_event_and_one_that_comes_back_dates_all(service: InProcess) -> None:
    wall = Wall(service)
    await create(service)
    wall.ahead = 365 * DAY
    for method, path, body in (("POST", "/items", PEN), ("DELETE", "/items/1", None)):
        refused = await service.client.request(method, path, json=body, headers={"Idempotency-Key": method})
        assert refused.headers["retry-after"] == "60"
        assert re.match("The clock is 3153[0-9]+ s ahead", check_problem(refused, 503, "clock-jump")["detail"])
    assert (await service.client.get("/items")).json() == [{"id": 1, **PEN, "in_stock": True}]
    unready = check_problem(await service.client.get("/readyz"), 503, "not-ready")["detail"]
    assert re.match("Writes fail: The clock is 3153[0-9]+ s ahead", unready)

    wall.ahead = 0
    assert (await service.client.get("/readyz")).status_code == 200
    again = await service.client.post("/items", json=PEN, headers={"Idempotency-Key": "POST"})
    assert again.json()["id"] == 2, "nothing had been written"
    times = [event["recorded_at"] for event in (await service.client.get("/events")).json()]
    assert max(times) <= format_time(now())


async def test_a_start_at_a_wrong_time_is_refused_unless_it_is_accepted(service: InProcess) -> None:
    database = service.services.database
    for away in (400 * DAY, -400 * DAY):  # an empty log has no time, but a database server has
        await _assert_start(service, away, ["server's"] if await database.server_time() else [])
    await create(service)
    await _assert_start(service, 0, [])
    for away in (400 * DAY, -400 * DAY):
        await _assert_start(service, away, ["the last event in the log"])
        await check_clock(database, accept=True, clock=partial(_now, away))


def _now(away: int) -> int:
    return now() + away


async def _assert_start(service: InProcess, away: int, expected: list[str]) -> None:
    refused = pytest.raises(StartError, match=rf"The clock seems wrong: .*{' .*'.join(expected)}.* --accept-clock")
    with refused if expected else nullcontext():
        await check_clock(service.services.database, accept=False, clock=lambda: now() + away)


async def test_the_service_starts_on_a_log_of_another_time_only_where_that_is_accepted(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with InProcess.over(database_url) as service:
        service.services.writer._clock = lambda: now() + 400 * DAY
        await create(service)
    settings = Settings(database_url=SecretUrl(as_service(database_url)))
    with pytest.raises(StartError, match="it is 399 days behind the last event"):
        async with run(settings):
            pass
    async with InProcess.over(database_url) as service:
        warnings: list[str] = []
        monkeypatch.setattr("commands.writer.log.warning", lambda text, *_: warnings.append(text))
        for _ in range(2):
            await create(service)
        assert warnings == ["the clock is %d s behind the last event: until it has passed that, events get its time"]
        past = (await service.client.get("/events")).json()
        assert len({event["recorded_at"] for event in past}) == 1, "time does not go back"


async def test_a_list_as_of_now_is_not_empty_because_a_clock_was_ahead(service: InProcess) -> None:
    await create(service)
    service.services.writer._clock = lambda: now() + DAY
    for _ in range(2):
        await create(service)
    for path in ("/audit/items", "/audit/items/1"):
        answer = await service.client.get(path, params={"as_of": format_time(now())})
        detail = check_problem(answer, 400, "invalid-query")["detail"]
        assert detail.startswith("A clock was ahead: the times of the events from position 2 to 3 are still to come")
        assert (await service.client.get(path, params={"as_of": 3})).status_code == 200
    latest = (await service.client.get("/events/3")).json()["recorded_at"]
    for as_of, items in ((None, 3), (latest, 3), (1, 1), (format_time(now() - DAY), 0)):
        listed = await service.client.get("/audit/items", params={} if as_of is None else {"as_of": as_of})
        assert len(listed.json()) == items
