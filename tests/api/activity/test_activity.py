"""`GET /activity`: exact activity of each day, one page at a time, as of the `Log-Position`."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from api.edge import context
from eventstore.errors import UnavailableError
from projections.activity import ACTIVITY
from projections.rebuild.rebuild import Options, rebuild
from tests.api.conftest import judged
from tests.api.ops.test_health import execute
from tests.support.clients.http import check_problem, unchanged_log
from tests.support.clients.lists import links
from tests.support.clients.requests import create, create_all, exact, patch, position_of, remove, restore
from tests.support.service import InProcess


def at(service: InProcess, moment: str) -> None:
    """Set the clock of the writer to a UTC time."""
    now = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 1_000_000
    service.services.writer._clock = lambda: now


async def october(service: InProcess) -> list[str]:
    """Create an item on each odd day of October 2026. Return those days, newest first."""
    days = [f"2026-10-{number:02}" for number in range(1, 32, 2)]
    for day in days:
        at(service, f"{day} 12:00")
        await create(service, price="0.1")
    return days[::-1]


async def days_of(service: InProcess, target: str) -> list[str]:
    answer = await service.client.get(target)
    assert answer.status_code == 200, answer.text
    return [day["day"] for day in answer.json()]


async def test_a_log_without_events_has_no_days(service: InProcess) -> None:
    answer = await service.client.get("/activity")
    assert (answer.status_code, answer.text, answer.headers["log-position"]) == (200, "[]", "0")
    assert answer.headers["link"] == '</activity>; rel="first"'


async def test_each_day_has_its_activity_and_its_final_state(service: InProcess) -> None:
    at(service, "2026-11-20 00:00:00")
    await create_all(
        service,
        [{"name": "Pen", "price": "24.5"}, {"name": "Ink", "price": 7, "in_stock": False}, {"name": "Nib", "price": 1}],
    )
    at(service, "2026-11-20 23:59:59")
    await patch(service, "/items/1", {"price": "19.95"})
    await patch(service, "/items/1", {"price": 19.95})  # changes nothing
    at(service, "2026-11-21 00:00:00")
    await remove(service, "/items/1")
    await patch(service, "/items/2", {"in_stock": True})
    at(service, "2026-11-23 10:00:00")
    await restore(service, "/items/1")
    at(service, "2026-11-22 10:00:00")  # a clock that goes back starts no earlier day
    await remove(service, "/items/3")
    answer = await service.client.get("/activity")
    assert answer.text == (
        '[{"day":"2026-11-23","created":0,"changed":0,"deleted":1,"restored":1,"alive":2,"stock_value":26.95},'
        '{"day":"2026-11-21","created":0,"changed":1,"deleted":1,"restored":0,"alive":2,"stock_value":8.0},'
        '{"day":"2026-11-20","created":3,"changed":1,"deleted":0,"restored":0,"alive":3,"stock_value":20.95}]'
    )
    assert answer.headers["log-position"] == "8"
    assert answer.headers["content-type"] == "application/json"


#: Prices of items in stock, and their sum in JSON.
SUMS = [
    ([], "0.0"),
    (["-0.0001"], "-0.0001"),
    (["0.1", "0.2"], "0.3"),
    (["99999999999999.9999"] * 20, "1999999999999999.998"),
    (["-99999999999999.9999"] * 20, "-1999999999999999.998"),
    (["1", "-1"], "0.0"),
    (["24.50"], "24.5"),
]


async def test_the_stock_value_is_exact_to_the_last_digit(service: InProcess) -> None:
    await create(service, in_stock=False)
    for prices, written in SUMS:
        paths = [await create(service, price=price) for price in prices]
        answer = await service.client.get("/activity?limit=1")
        assert answer.text.endswith(f'"stock_value":{written}}}]')
        items = exact(await service.client.get("/items?in_stock=true"))
        assert exact(answer)[0]["stock_value"] == sum(item["price"] for item in items)
        for path in paths:
            await remove(service, path)


async def test_a_range_includes_its_first_and_last_day(service: InProcess) -> None:
    days = await october(service)
    assert await days_of(service, "/activity") == days
    for query, expected in {
        "from=2026-10-29": days[:2],
        "from=2026-10-30": days[:1],
        "from=2026-11-01": [],
        "to=2026-10-03": days[-2:],
        "to=2026-10-02": days[-1:],
        "to=2026-09-30": [],
        "from=2026-10-05&to=2026-10-09": ["2026-10-09", "2026-10-07", "2026-10-05"],
        "from=2026-10-06&to=2026-10-06": [],
        "from=2026-10-09&to=2026-10-05": [],
        "from=0001-01-01&to=9999-12-31": days,
        "to=1969-12-31": [],
    }.items():
        assert await days_of(service, f"/activity?{query}") == expected, query


async def test_following_the_links_shows_every_day_once(service: InProcess) -> None:
    await october(service)
    for query in ({}, {"from": "2026-10-05"}, {"to": "2026-10-20"}, {"from": "2026-10-02", "to": "2026-10-28"}):
        expected = await days_of(service, f"/activity?{urlencode(query)}")
        for limit in (1, 3, 8, 1000):
            target = f"/activity?{urlencode({**query, 'limit': limit})}"
            first = (await service.client.get(target)).text
            seen: list[str] = []
            following: str | None = target
            while following:
                page = await service.client.get(following)
                days = [day["day"] for day in page.json()]
                assert len(days) <= limit
                seen += days
                assert len(seen) <= len(expected), "the links go in a circle"
                assert (await service.client.get(links(page)["first"])).text == first
                following = links(page).get("next")
                assert following is None or len(days) == limit
            assert seen == expected


async def test_writes_between_pages_move_no_day(service: InProcess) -> None:
    days = await october(service)
    page = await service.client.get("/activity?limit=5")
    seen = [day["day"] for day in page.json()]
    for day in ("2026-10-31 13:00", "2026-11-02 12:00", "2026-11-03 12:00"):
        at(service, day)
        await create(service)
    while following := links(page).get("next"):
        page = await service.client.get(following)
        seen += [day["day"] for day in page.json()]
        assert len(seen) <= len(days), "the links go in a circle"
    assert seen == days


WRONG_DAYS = [
    *(
        "",
        "today",
        "2026-11-31",
        "2026-02-29",
        "2026-1-1",
        "20261101",
        "2026-11",
        "2026-W45-1",
        "1700000000",
        "0",
        "-1",
    ),
    *("0000-01-01", "10000-01-01", "-0001-01-01", "%2B2026-01-01", "2026-11-23T00:00:00", "2026-11-23Z", "null"),
    *("2026-11-23%20", "%202026-11-23", "2026-11-23%0A", "2026/11/23", "%D9%A2026-11-23", "2026-11-23%00"),
]


async def test_an_invalid_value_is_rejected_naming_its_parameter(service: InProcess) -> None:
    queries = [f"{name}={day}" for name in ("from", "to", "cursor") for day in WRONG_DAYS]
    queries += [f"limit={number}" for number in ("0", "1001", "-1", "", "x", "1.5")]
    queries += [f"min_position={number}" for number in ("-1", "", "x", "9223372036854775808")]
    queries += ["from_=2026-11-01", "sort=day", "day=2026-11-01", "From=2026-11-01", "in_stock=true"]
    for query in queries:
        answer = await service.client.get(f"/activity?{query}")
        (fault,) = check_problem(answer, 400, "invalid-query")["errors"]
        assert (fault["parameter"], fault["detail"] != "") == (query.partition("=")[0], True), query
    for query in ("from=2026-11-01&from=2026-11-01", "to", "from=2026-11-01&", "%ff=1"):
        check_problem(await service.client.get(f"/activity?{query}"), 400, "invalid-query")


async def test_a_client_reads_its_own_writes_at_any_process(postgres_url: str) -> None:
    async with InProcess.over(postgres_url) as service, InProcess.over(postgres_url) as other:
        for number in range(1, 6):
            written = await judged(other).client.post("/items", json={"name": "Pen", "price": 1})
            token = written.headers["log-position"]
            for asked, query in ((service, ""), (service, f"?min_position={token}"), (other, f"?min_position={token}")):
                read = await asked.client.get(f"/activity{query}")
                assert sum(day["created"] for day in read.json()) == number
                assert read.headers["log-position"] == token


async def test_waiting_for_a_future_position_times_out(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_WAIT_SECONDS", 0.03)
    await create(service)
    for method in ("GET", "HEAD"):
        answer = await service.client.request(method, "/activity?min_position=2")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["log-position"] == "1"
    check_problem(await service.client.get("/activity?min_position=2"), 503, "position-not-reached")


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM projections WHERE name = 'activity'", "DROP TABLE activity"],
        ["DELETE FROM projections WHERE name = 'activity'"],
        ["UPDATE projections SET version = 0 WHERE name = 'activity'", "ALTER TABLE activity DROP COLUMN restored"],
    ],
    ids=["no table", "an incomplete table", "a table of an older version"],
)
async def test_while_its_table_is_not_ready_it_responds_with_503_and_all_else_works(
    service: InProcess, statements: list[str]
) -> None:
    for statement in statements:
        await execute(service, text(statement))
    await create(service)
    for method in ("GET", "HEAD"):
        answer = await service.client.request(method, "/activity?min_position=1")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.headers["log-position"] == "1"
    check_problem(await service.client.get("/activity"), 503, "projection-not-ready")
    assert len((await service.client.get("/items?min_position=1")).json()) == 1
    async with service.owner() as owner:
        await rebuild(owner, ACTIVITY, Options())
    assert [day["created"] for day in (await service.client.get("/activity")).json()] == [1]


async def test_an_unavailable_database_is_reported(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> Any:
        raise UnavailableError

    monkeypatch.setattr(service.services.database, "read", fail)
    check_problem(await service.client.get("/activity"), 503, "database-unavailable")


async def test_reading_adds_no_events(service: InProcess) -> None:
    await create(service)
    async with unchanged_log(service.services.database):
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"):
            await service.client.request(method, "/activity?limit=1")
    assert await position_of(service.services.database) == 1
