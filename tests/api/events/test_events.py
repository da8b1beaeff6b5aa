"""`GET /events` and `/events/{position}`: the stored events, filters, and caching."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from api.http.rfc3339 import format_time
from api.schemas.event import EventDocument, to_stored_event
from eventstore import codec
from eventstore.events import Metadata
from eventstore.log.head import END
from eventstore.log.write_set import event_values
from tests.eventstore.recording import ProposedEvent, at
from tests.support.clients.http import check_problem
from tests.support.clients.lists import links
from tests.support.clients.requests import create, create_all, exact, patch, position_of, remove, restore
from tests.support.service import InProcess

TRACE = "0af7651916cd43dd8448eb211c80319c"
IMMUTABLE = "private, max-age=31536000, immutable"
NOON = int(datetime(2026, 10, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000


def path(query: dict[str, Any]) -> str:
    return f"/events?{urlencode(query)}"


async def story(service: InProcess) -> None:
    """Record eight events, a second apart from noon: of item 1, and of items 4 and 5, which a trace created."""
    now = NOON - 1_000_000

    def clock() -> int:
        nonlocal now
        now += 1_000_000
        return now

    service.services.writer._clock = clock
    item = await create(service)
    await patch(service, item, {"price": 2}, x_request_id="a1")
    await remove(service, item)
    trace = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    batch = [{"name": "Ink", "price": 1}, {"name": "Nib", "price": "0.0001"}]
    assert (await service.client.post("/items/batch", json=batch, headers=trace)).status_code == 201
    await restore(service, item)
    await patch(service, item, {"name": "Fountain pen"}, **trace)
    await patch(service, "/items/5", {"in_stock": False})


@pytest.fixture
async def populated(service: InProcess) -> InProcess:
    await story(service)
    return service


async def positions(service: InProcess, query: dict[str, Any]) -> list[int]:
    answer = await service.client.get(path(query))
    assert answer.status_code == 200, answer.text
    return [event["position"] for event in answer.json()]


async def test_an_event_is_returned_as_it_was_hashed(populated: InProcess) -> None:
    for position in range(1, 9):
        answer = await populated.client.get(f"/events/{position}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, IMMUTABLE)
        event = to_stored_event(msgspec.json.decode(answer.content, type=EventDocument))
        metadata = Metadata(
            *(
                event.command_id,
                event.actor,
                event.credential,
                event.fingerprint,
                event.correlation_id,
                event.causation_id,
            )
        )
        decoded = codec.decode(position, event.type, event.data)
        proposed = ProposedEvent(event.item_id, event.version, decoded, metadata, event.ordinal)
        assert event_values(at(position, event.recorded_at, proposed))[-1] == event.leaf_hash
        assert event.position == position
        assert event.recorded_at == NOON + [0, 1, 2, 3, 3, 4, 5, 6][position - 1] * 1_000_000


async def test_a_list_returns_each_event_as_a_single_read_does(populated: InProcess) -> None:
    listed = exact(await populated.client.get("/events"))
    assert listed == [exact(await populated.client.get(f"/events/{position}")) for position in range(1, 9)]
    assert exact(await populated.client.get("/events?sort=-position")) == listed[::-1]


FILTERS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "all": ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
    "item": ({"item_id": 1}, [1, 2, 3, 6, 7]),
    "item that never was": ({"item_id": 2}, []),
    "type": ({"type": "item.changed.v1"}, [2, 7, 8]),
    "actor": ({"actor": "anonymous"}, [1, 2, 3, 4, 5, 6, 7, 8]),
    "actor who did nothing": ({"actor": "nobody"}, []),
    "request": ({"correlation_id": "a1"}, [2]),
    "trace": ({"correlation_id": TRACE}, [4, 5, 7]),
    "trace and type": ({"correlation_id": TRACE, "type": "item.changed.v1"}, [7]),
    "item and type": ({"item_id": 1, "type": "item.changed.v1"}, [2, 7]),
    "actor and type": ({"actor": "anonymous", "type": "item.restored.v1"}, [6]),
    "after": ({"after": 6}, [7, 8]),
    "before": ({"before": 3}, [1, 2]),
    "between": ({"after": 2, "before": 6}, [3, 4, 5]),
    "after the head": ({"after": END}, []),
    "before all": ({"before": 0}, []),
    "from": ({"from": "2026-10-01T12:00:04Z"}, [6, 7, 8]),
    "from, between two": ({"from": "2026-10-01T12:00:03.000001Z"}, [6, 7, 8]),
    "to": ({"to": "2026-10-01T12:00:03Z"}, [1, 2, 3, 4, 5]),
    "to, between two": ({"to": "2026-10-01T12:00:02.999999Z"}, [1, 2, 3]),
    "another offset": ({"from": "2026-10-01T13:00:01+01:00", "to": "2026-10-01T11:30:02-00:30"}, [2, 3]),
    "times and positions": ({"from": "2026-10-01T12:00:01Z", "after": 3, "to": "2026-10-01T12:00:05Z"}, [4, 5, 6, 7]),
    "times and an item": ({"from": "2026-10-01T12:00:01Z", "to": "2026-10-01T12:00:04Z", "item_id": 1}, [2, 3, 6]),
    "from after to": ({"from": "2026-10-01T12:00:04Z", "to": "2026-10-01T12:00:01Z"}, []),
    "long ago": ({"to": "0001-01-01T00:00:00Z"}, []),
    "to come": ({"from": "9999-12-31T23:59:59Z"}, []),
}


async def test_events_are_filtered_by_their_columns(populated: InProcess) -> None:
    for name, (query, expected) in FILTERS.items():
        assert await positions(populated, query) == expected, name
        assert await positions(populated, {**query, "sort": "-position"}) == expected[::-1], name
        for limit in (1, 2, 3):
            for sort in ("position", "-position"):
                walked, target = [], path({**query, "limit": limit, "sort": sort})
                for _ in range(10):
                    page = await populated.client.get(target)
                    walked += [event["position"] for event in page.json()]
                    if (target := links(page).get("next", "")) == "":
                        break
                assert walked == (expected if sort == "position" else expected[::-1]), name


async def test_events_are_filtered_by_command_id(populated: InProcess) -> None:
    event = (await populated.client.get("/events/5")).json()
    assert await positions(populated, {"command_id": event["command_id"]}) == [4, 5]
    assert await positions(populated, {"command_id": event["command_id"], "type": "item.created.v1", "after": 4}) == [5]
    assert await positions(populated, {"command_id": event["command_id"], "item_id": 1}) == []


async def test_a_next_link_keeps_the_filters(populated: InProcess) -> None:
    query = {"item_id": 1, "from": "2026-10-01T12:00:00Z", "limit": 2}
    page = await populated.client.get(path(query))
    same = "item_id=1&from=2026-10-01T12%3A00%3A00Z&limit=2"
    assert links(page) == {"first": f"/events?{same}", "next": f"/events?{same}&after=2"}
    page = await populated.client.get(path({"after": 4, "limit": 2, "sort": "-position"}))
    assert links(page)["next"] == "/events?after=4&sort=-position&limit=2&before=7"
    assert links(await populated.client.get(path({"limit": 8})))["next"] == "/events?limit=8&after=8"
    assert "next" not in links(await populated.client.get(path({"limit": 8, "sort": "-position"})))
    assert "next" not in links(await populated.client.get(path({"limit": 2, "before": 3})))


async def test_a_full_page_of_the_past_is_immutable(populated: InProcess) -> None:
    kept: list[dict[str, Any]] = [
        *({"limit": 8}, {"limit": 2, "after": 3}, {"before": 9}, {"sort": "-position", "before": 9, "limit": 3}),
        *({"to": "2026-10-01T12:00:05Z"}, {"limit": 1, "type": "item.deleted.v1"}),
    ]
    before = [await populated.client.get(path(query)) for query in kept]
    assert [answer.headers["cache-control"] for answer in before] == [IMMUTABLE] * len(kept)
    await create(populated)
    await remove(populated, "/items/1")
    for query, answer in zip(kept, before, strict=True):
        again = await populated.client.get(path(query))
        for name in ("etag", "link", "cache-control"):
            assert again.headers[name] == answer.headers[name]
        assert again.content == answer.content


async def test_the_newest_page_is_revalidated_by_its_etag(populated: InProcess) -> None:
    heads: list[dict[str, Any]] = [
        {},
        {"sort": "-position", "limit": 3},
        {"after": 8},
        {"item_id": 4},
        {"actor": "nobody"},
    ]
    for query in heads:
        first = await populated.client.get(path(query))
        assert first.headers["cache-control"] == "private, no-cache"
        asked = {"if-none-match": first.headers["etag"]}
        same = await populated.client.get(path(query), headers=asked)
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == first.headers["etag"]
        assert same.headers["cache-control"] == first.headers["cache-control"]
        await patch(populated, "/items/4", {"price": str(len(path(query)))})
        now = await populated.client.get(path(query), headers=asked)
        assert now.status_code == (304 if query == {"actor": "nobody"} else 200)


async def test_the_last_recorded_time_can_occur_again(populated: InProcess) -> None:
    last = format_time(NOON + 6_000_000)
    assert (await populated.client.get(path({"to": last}))).headers["cache-control"] == "private, no-cache"
    populated.services.writer._clock = lambda: 0  # recorded times never decrease
    await create(populated)
    assert await positions(populated, {"from": last}) == [8, 9]


async def test_the_response_has_the_log_position(populated: InProcess) -> None:
    for target in ("/events", "/events?before=3", "/events/1", "/events/99"):
        assert (await populated.client.get(target)).headers["log-position"] == "8"
    position = await position_of(populated.services.database)
    assert (await populated.client.get(f"/events?min_position={position}")).status_code == 200


async def test_an_invalid_position_is_not_found(populated: InProcess) -> None:
    for text in ("9", str(END), str(END + 1), "0", "-1", "01", "1.0", "one", "9" * 400):
        problem = check_problem(await populated.client.get(f"/events/{text}"), 404, "event-not-found")
        assert (problem["detail"] == "The log ends at position 8") == (text in ("9", str(END)))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown filter": ({"causation": "x"}, "causation"),
    "no type that there is": ({"type": "item.created"}, "type"),
    "no item": ({"item_id": 0}, "item_id"),
    "too large an item": ({"item_id": END + 1}, "item_id"),
    "no position": ({"after": -1}, "after"),
    "too late a position": ({"before": END + 1}, "before"),
    "no order": ({"sort": "recorded_at"}, "sort"),
    "too many": ({"limit": 1001}, "limit"),
    "none at all": ({"limit": 0}, "limit"),
    "a time without an offset": ({"from": "2026-10-01T12:00:00"}, "from"),
    "a day": ({"to": "2026-10-01"}, "to"),
    "a day that is not": ({"to": "2026-02-30T12:00:00Z"}, "to"),
    "a number for a time": ({"from": 1790856000}, "from"),
    "nobody": ({"actor": ""}, "actor"),
    "a control character": ({"correlation_id": "a\0"}, "correlation_id"),
    "too long": ({"command_id": "a" * 256}, "command_id"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_an_invalid_query_is_rejected_naming_its_parameter(small: InProcess, case: str) -> None:
    query, parameter = WRONG[case]
    problem = check_problem(await small.client.get(path(query)), 400, "invalid-query")
    assert [fault["parameter"] for fault in problem["errors"]] == [parameter]


async def test_an_unescaped_plus_is_a_space_and_rejected(small: InProcess) -> None:
    answer: httpx.Response = await small.client.get("/events?from=2026-10-01T12:00:00+01:00")
    check_problem(answer, 400, "invalid-query")


async def test_a_batch_is_a_command_of_many_events(small: InProcess) -> None:
    ids = await create_all(small, [{"name": "Pen", "price": 1}] * 1000)
    command = (await small.client.get(f"/events/{ids[500]}")).json()["command_id"]
    page = await small.client.get(path({"command_id": command, "limit": 1000}))
    assert [event["ordinal"] for event in page.json()] == list(range(1000))
    assert await positions(small, {"command_id": command, "after": 990, "sort": "-position"}) == list(
        range(1000, 990, -1)
    )
