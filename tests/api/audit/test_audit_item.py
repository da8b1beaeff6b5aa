"""`GET /audit/items/{id}`: the versions with actor and changes, and the state as of any moment."""

import random
from typing import Any

import pytest

from api.http.rfc3339 import format_time
from eventstore.log.head import END
from tests.api.events.test_events import IMMUTABLE, NOON, TRACE, story
from tests.support.clients.http import check_problem
from tests.support.clients.lists import links
from tests.support.clients.requests import create, exact, patch, remove, restore
from tests.support.service import InProcess

NAMES = ["Pen", "Ink", "\u00c4pfel", "\U0001f58b"]
PRICES = ["-0.0001", "0", "1.5", "99999999999999.9999"]


@pytest.fixture
async def populated(service: InProcess) -> InProcess:
    await story(service)
    return service


async def versions(service: InProcess, target: str) -> list[dict[str, Any]]:
    answer = await service.client.get(target)
    assert answer.status_code == 200, answer.text
    populated: list[dict[str, Any]] = exact(answer)
    return populated


async def test_each_version_has_actor_time_and_changes(populated: InProcess) -> None:
    answer = await populated.client.get("/audit/items/1")
    events = exact(await populated.client.get("/events?item_id=1"))
    shown = exact(answer)
    assert [version.pop("changes") for version in shown] == [
        {
            "name": {"from": None, "to": "Pen"},
            "price": {"from": None, "to": 1},
            "in_stock": {"from": None, "to": True},
        },
        {"price": {"from": 1, "to": 2}},
        {
            "name": {"from": "Pen", "to": None},
            "price": {"from": 2, "to": None},
            "in_stock": {"from": True, "to": None},
        },
        {
            "name": {"from": None, "to": "Pen"},
            "price": {"from": None, "to": 2},
            "in_stock": {"from": None, "to": True},
        },
        {"name": {"from": "Pen", "to": "Fountain pen"}},
    ]
    assert shown == events, "beside that it is the event"
    assert [shown[1][name] for name in ("actor", "correlation_id")] == ["anonymous", "a1"]
    assert (shown[4]["recorded_at"], shown[4]["correlation_id"]) == (format_time(NOON + 5_000_000), TRACE)
    assert answer.headers["log-position"] == "8"
    assert links(answer) == {"first": "/audit/items/1"}


async def test_versions_are_paged_as_events_are(populated: InProcess) -> None:
    everything = await versions(populated, "/audit/items/1")
    for sort, expected in (("position", everything), ("-position", everything[::-1])):
        for limit in (1, 2, 5):
            walked, target = [], f"/audit/items/1?sort={sort}&limit={limit}"
            while target:
                page = await populated.client.get(target)
                walked += exact(page)
                assert page.headers["etag"]
                target = links(page).get("next", "")
            assert walked == expected
    assert await versions(populated, "/audit/items/1?after=1&before=7") == everything[1:4]
    assert await versions(populated, "/audit/items/1?after=8") == []


async def test_final_versions_are_cacheable_and_others_are_revalidated(populated: InProcess) -> None:
    full = await populated.client.get("/audit/items/1?limit=2")
    assert full.headers["cache-control"] == IMMUTABLE
    head = await populated.client.get("/audit/items/1")
    assert head.headers["cache-control"] == "private, no-cache"
    again = {"if-none-match": head.headers["etag"]}
    assert (await populated.client.get("/audit/items/1", headers=again)).status_code == 304
    await remove(populated, "/items/1")
    assert (await populated.client.get("/audit/items/1", headers=again)).status_code == 200
    assert (await populated.client.get("/audit/items/1?limit=2")).content == full.content


async def test_a_page_of_a_long_history_is_correct_wherever_it_starts(service: InProcess) -> None:
    """The state before a page is computed from the nearest snapshot."""
    chance = random.Random(11)
    item = await create(service)
    alive = True
    for _ in range(70):
        if not alive:
            await restore(service, item)
        elif chance.random() < 0.1:
            await remove(service, item)
        else:
            await patch(service, item, {"name": chance.choice(NAMES), "price": chance.choice(PRICES)})
            continue
        alive = not alive
    everything = await versions(service, f"/audit{item}?limit=1000")
    assert len(everything) > 50
    for number, version in enumerate(everything):
        page = await versions(service, f"/audit{item}?limit=3&after={version['position'] - 1}")
        assert page == everything[number : number + 3]
    now = {"name": None, "price": None, "in_stock": None}
    for version in everything:
        for name, change in version["changes"].items():
            assert change["from"] == now[name] != change["to"]
            now[name] = change["to"]
    assert len(now) == 3
    assert (exact(await service.client.get(item)) if alive else {"id": 1, **now}) == {"id": 1, **now}


async def test_an_item_is_returned_as_of_a_position_or_a_time(populated: InProcess) -> None:
    """See `tests.api.events.test_events.story` for what happened when."""
    seen: dict[int, Any] = {1: ("Pen", 1), 2: ("Pen", 2), 6: ("Pen", 2), 7: ("Fountain pen", 2), 8: ("Fountain pen", 2)}
    times = {1: 0, 2: 1_000_000, 6: 4_000_000, 7: 5_500_000, 8: 6_000_000}
    for position, (name, price) in seen.items():
        for as_of in (str(position), format_time(NOON + times[position])):
            answer = await populated.client.get("/audit/items/1", params={"as_of": as_of})
            assert exact(answer) == {"id": 1, "name": name, "price": price, "in_stock": True}
            assert answer.headers["log-position"] == str(position)
            assert answer.headers["link"] == '</audit/items/1>; rel="version-history"'
            final = as_of.isdigit() or position < 8
            assert answer.headers["cache-control"] == (IMMUTABLE if final else "private, no-cache")
            again = {"if-none-match": answer.headers["etag"]}
            revalidated = await populated.client.get("/audit/items/1", params={"as_of": as_of}, headers=again)
            assert revalidated.status_code == 304
    for as_of in ("0", "3", "4", "5", format_time(NOON + 2_000_000), format_time(NOON - 1), "1969-12-31T00:00:00Z"):
        answer = await populated.client.get("/audit/items/1", params={"as_of": as_of})
        assert check_problem(answer, 404, "item-not-found")["detail"] == "Item not found"
    check_problem(await populated.client.get("/audit/items/4?as_of=3"), 404, "item-not-found")


async def test_a_past_state_has_its_etag_of_that_time(populated: InProcess) -> None:
    now = await populated.client.get("/items/1")
    assert (await populated.client.get("/audit/items/1?as_of=8")).headers["etag"] == now.headers["etag"]


@pytest.mark.parametrize("path", ["/audit/items/{}", "/audit/items/{}?as_of=8"])
async def test_an_item_that_never_existed_is_not_found(populated: InProcess, path: str) -> None:
    for text in ("2", "99", "0", "-1", "01", "x", str(END), str(END + 1)):
        check_problem(await populated.client.get(path.format(text)), 404, "item-not-found")


WRONG = {
    "as_of=9": "The log ends at position 8. Later positions are still to come",
    f"as_of={END}": "The log ends at position 8. Later positions are still to come",
    "as_of=9999-12-31T23:59:59Z": "This time is still to come",
    **dict.fromkeys(
        [
            *(f"as_of={END + 1}", "as_of=", "as_of=-1", "as_of=1.5", "as_of=007", "as_of=now", "as_of=2026-10-01"),
            *("as_of=2026-10-01T12:00:00", "as_of=2026-02-30T12:00:00Z", "as_of=null", "as_of=%D9%A1"),
        ],
        "Expected a position, or an RFC 3339 time with Z or an offset",
    ),
}


async def test_an_invalid_or_future_moment_is_rejected(populated: InProcess) -> None:
    for query, detail in WRONG.items():
        problem = check_problem(await populated.client.get(f"/audit/items/1?{query}"), 400, "invalid-query")
        assert problem["errors"] == [{"detail": detail, "parameter": "as_of"}]


async def test_as_of_cannot_be_combined_with_a_range_of_versions(populated: InProcess) -> None:
    for query, parameter in {
        "limit=1": "limit",
        "sort=-position": "sort",
        "after=1": "after",
        "before=9": "before",
    }.items():
        problem = check_problem(await populated.client.get(f"/audit/items/1?as_of=8&{query}"), 400, "invalid-query")
        assert [fault["parameter"] for fault in problem["errors"]] == [parameter]
    assert (await populated.client.get("/audit/items/1?as_of=8&min_position=8")).status_code == 200
