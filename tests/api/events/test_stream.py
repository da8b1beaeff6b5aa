"""`GET /events/stream`: events, heartbeats, limits, and the end of a stream."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

import httpx
import pytest

from api.events.feed import Feed
from eventstore.errors import UnavailableError
from eventstore.log import history, tail
from eventstore.log.history_reader import HistoryPage
from tests.api.conftest import contract_of
from tests.support.clients.http import check_problem
from tests.support.clients.keys import as_read, bearer, make_key
from tests.support.clients.streams import PATH, streaming
from tests.support.service import InProcess

NEVER = 3600.0


async def create(service: InProcess, *names: str, **headers: str) -> None:
    for name in names:
        answer = await service.client.post("/items", json={"name": name, "price": 1}, headers=headers)
        assert answer.status_code == 201


def feed_of(service: InProcess) -> Feed:
    return service.services.feed


def positions(documents: Sequence[dict[str, Any]]) -> list[int]:
    return [document["position"] for document in documents]


async def test_a_stream_sends_past_events_and_then_new_ones(service: InProcess) -> None:
    await create(service, "Pen", "Ink")
    async with streaming(service.app, headers={"X-Request-Id": "mine"}) as stream:
        begun = await stream.begin()
        begun.request = httpx.Request("GET", f"http://test{PATH}")
        begun._content = b""
        contract_of(service).check(begun)
        assert begun.status_code == 200
        assert begun.headers["content-type"] == "text/event-stream"
        assert begun.headers["cache-control"] == "no-store"
        assert begun.headers["x-accel-buffering"] == "no"
        assert begun.headers["x-request-id"] == "mine"
        assert begun.headers["log-position"] == "2"
        first, second = await stream.take(2)
        assert (first["data"], second["data"]["name"]) == ({"name": "Pen", "price": "1", "in_stock": True}, "Ink")
        assert (first["position"], first["item_id"], first["version"], first["type"]) == (1, 1, 1, "item.created.v1")
        await service.client.delete("/items/1")
        (third,) = await stream.take(1)
        assert (third["position"], third["item_id"], third["version"], third["type"]) == (3, 1, 2, "item.deleted.v1")
        assert 500 <= (stream.reader.retry or 0) <= 1500


async def test_a_stream_resumes_after_the_last_event_id(service: InProcess) -> None:
    await create(service, *"abcde")
    for query, headers, expected in (
        ("after=3", {}, [4, 5]),
        ("", {"Last-Event-ID": "2"}, [3, 4, 5]),
        ("after=1", {"Last-Event-ID": "4"}, [5]),  # an EventSource reconnects with the same query
        ("after=4", {"Last-Event-ID": "0"}, [1, 2, 3, 4, 5]),
    ):
        async with streaming(service.app, query, headers=headers) as stream:
            await stream.begin()
            assert positions(await stream.take(len(expected))) == expected


async def test_filters_select_as_in_a_list(service: InProcess) -> None:
    await create(service, "Pen")
    await create(service, "Ink", **{"X-Request-Id": "traced"})
    await service.client.patch("/items/1", json={"price": 2})
    await service.client.patch("/items/2", json={"price": 2})
    async with streaming(service.app) as stream:
        await stream.begin()
        command = (await stream.take(4))[3]["command_id"]
    for query, expected in (
        ("item_id=1", [1, 3]),
        ("type=item.changed.v1", [3, 4]),
        ("correlation_id=traced", [2]),
        (f"command_id={command}", [4]),
        ("actor=anonymous&item_id=2&after=2", [4]),
    ):
        async with streaming(service.app, query) as stream:
            await stream.begin()
            assert positions(await stream.take(len(expected))) == expected
    async with streaming(service.app, "item_id=2&type=item.deleted.v1") as stream:
        await stream.begin()
        for item_id in (1, 2):
            await service.client.delete(f"/items/{item_id}")
        assert positions(await stream.take(1)) == [6]


@pytest.mark.parametrize("sent", ["x", "", "-1", "1.0", "0x1", "1, 2", str(2**63), "1" * 40])
async def test_an_invalid_last_event_id_is_rejected(small: InProcess, sent: str) -> None:
    check_problem(await small.client.get(PATH, headers={"Last-Event-ID": sent}), 400, "invalid-header")


@pytest.mark.parametrize("query", ["after=x", "after=-1", "item_id=x", "item_id=null", "limit=5", "nothing=1"])
async def test_an_invalid_query_is_rejected(small: InProcess, query: str) -> None:
    check_problem(await small.client.get(f"{PATH}?{query}"), 400, "invalid-query")


async def test_a_position_ahead_of_the_log_is_rejected(service: InProcess) -> None:
    await create(service, "Pen")
    async with streaming(service.app, "after=1") as stream:
        assert (await stream.begin()).status_code == 200
    for query, headers in (("after=2", {}), ("", {"Last-Event-ID": "99"})):
        answer = await service.client.get(f"{PATH}?{query}", headers=headers)
        problem = check_problem(answer, 503, "position-not-reached")
        assert problem["detail"].endswith("is ahead of the log, which is at 1")
        assert answer.headers["retry-after"] == "1"


async def test_head_opens_no_stream(service: InProcess) -> None:
    await create(service, "Pen")
    answer = await service.client.head(PATH)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "text/event-stream", b"")
    assert answer.headers["log-position"] == "1"
    assert feed_of(service).open_streams == 0


async def test_a_quiet_log_sends_comments(small: InProcess) -> None:
    feed_of(small).heartbeat_seconds = 0.02
    await create(small, "Pen")
    async with streaming(small.app, "after=1") as stream:
        await stream.begin()
        await stream.quiet(lambda: stream.reader.comments == 3)
        assert stream.reader.last_event_id == ""


async def test_a_stream_without_matching_events_moves_the_resume_point(service: InProcess) -> None:
    feed_of(service).heartbeat_seconds = 0.02
    async with streaming(service.app, "actor=nobody") as stream:
        await stream.begin()
        await create(service, "Pen", "Ink")
        await stream.quiet(lambda: stream.reader.last_event_id == "2")
        for _ in range(3):  # an unchanged position is not repeated
            assert (await stream.message())["body"] == b":\n"


async def test_a_busy_log_does_not_suppress_heartbeats(small: InProcess) -> None:
    feed_of(small).heartbeat_seconds = 0.05
    async with streaming(small.app, "actor=nobody") as stream:
        await stream.begin()
        writing = asyncio.create_task(create(small, *["Pen"] * 10_000))
        for place in (1, 10, 20):
            await stream.quiet(lambda: int(stream.reader.last_event_id or 0) >= place)  # noqa: B023
        writing.cancel()


async def test_a_long_scan_reports_its_progress(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_KEPT_EVENTS", 0)
    monkeypatch.setattr(history, "SCAN_LIMIT", 10)
    batch = [{"name": "Pen", "price": 1}] * 40
    made = await service.client.post("/items/batch", json=batch, headers={"X-Request-Id": "traced"})
    assert made.status_code == 201
    feed_of(service).heartbeat_seconds = 0.02
    reader = feed_of(service).tail._history
    page = reader.page

    async def slow(*asked: Any, **options: Any) -> HistoryPage:
        await asyncio.sleep(0.05)
        return await page(*asked, **options)

    monkeypatch.setattr(reader, "page", slow)
    async with streaming(service.app, "correlation_id=traced&actor=nobody") as stream:
        await stream.begin()
        for place in ("10", "20", "30", "40"):
            before = stream.reader.last_event_id
            await stream.quiet(lambda: stream.reader.last_event_id != before)  # noqa: B023
            assert stream.reader.last_event_id == place


async def test_a_disconnected_client_ends_its_stream(small: InProcess) -> None:
    feed_of(small).heartbeat_seconds = NEVER
    async with streaming(small.app) as stream:
        await stream.begin()
        await stream.message()
        assert feed_of(small).open_streams == 1
    assert stream.task.done()
    assert feed_of(small).open_streams == 0
    assert feed_of(small).tail._subscribers == set()


async def test_a_stream_over_the_process_limit_is_rejected(sqlite_url: str) -> None:
    async with (
        InProcess.over(sqlite_url, max_streams=2) as service,
        streaming(service.app) as first,
        streaming(service.app) as second,
    ):
        assert [(await stream.begin()).status_code for stream in (first, second)] == [200, 200]
        refused = await service.client.get(PATH)
        check_problem(refused, 503, "too-many-streams")
        assert refused.headers["retry-after"] == "5"
        assert (await service.client.head(PATH)).status_code == 503
        assert (await service.client.get("/livez")).status_code == 200
        await first.leave()
        async with streaming(service.app) as third:
            assert (await third.begin()).status_code == 200


async def test_a_stream_over_the_client_limit_is_rejected_and_other_clients_are_not(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url, max_client_streams=1) as service:
        keys = [await make_key(service.services.database, name) for name in ("one", "other")]
        one, other = (bearer(key.text) for key in keys)
        as_read(service)
        async with streaming(service.app, headers=one) as first:
            assert (await first.begin()).status_code == 200
            refused = await service.client.get(PATH, headers=one)
            problem = check_problem(refused, 429, "quota-exceeded")
            assert (problem["violated-policies"], refused.headers["retry-after"]) == (["streams"], "5")
            async with streaming(service.app, headers=other) as second:
                assert (await second.begin()).status_code == 200
        assert feed_of(service)._client_streams == {}
        async with streaming(service.app, headers=one) as third:
            assert (await third.begin()).status_code == 200


async def test_a_stream_ends_after_its_lifetime(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with InProcess.over(sqlite_url, stream_lifetime=NEVER) as service:
        await create(service, "Pen")
        async with streaming(service.app) as stream:
            await stream.begin()
            assert positions(await stream.take(1)) == [1]
            monkeypatch.setattr("api.events.stream.monotonic", lambda: monotonic() + NEVER)
            await create(service, "Ink")  # wakes the stream, which is over by then
            assert await stream.rest() == b""


async def test_stopping_ends_every_stream_and_rejects_new_ones(service: InProcess) -> None:
    await create(service, "Pen")
    async with streaming(service.app) as stream, streaming(service.app, "actor=nobody") as silent:
        await stream.begin()
        await silent.begin()
        await stream.take(1)
        service.app.stop()
        assert await stream.rest() == b""
        assert (await silent.rest()).startswith(b"retry: ")
        check_problem(await service.client.get(PATH), 503, "stopping")
        assert (await service.client.get("/items/1")).status_code == 200


async def test_a_client_that_does_not_read_does_not_block_others(service: InProcess) -> None:
    async with streaming(service.app) as slow, streaming(service.app) as quick:
        await slow.begin()
        await quick.begin()
        slow.reads.clear()
        for number in range(1, 4):
            batch = [{"name": "Pen", "price": 1}] * 200
            assert (await service.client.post("/items/batch", json=batch)).status_code == 201
            assert positions(await quick.take(200)) == list(range(200 * number - 199, 200 * number + 1))
        assert min(subscriber.position for subscriber in feed_of(service).tail._subscribers) <= 64, "more than a page"
        slow.reads.set()
        assert positions(await slow.take(600)) == list(range(1, 601))


async def test_an_unavailable_database_ends_no_stream(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    feed_of(service).heartbeat_seconds = 0.02
    database = service.services.database
    read = database.read

    async def away(*_: Any) -> Sequence[Any]:
        raise UnavailableError

    async with streaming(service.app) as stream:
        await stream.begin()
        await create(service, "Pen")
        await stream.take(1)
        monkeypatch.setattr(database, "read", away)
        check_problem(await service.client.get(PATH), 503, "database-unavailable")
        await create(service, "Ink")
        comments = stream.reader.comments
        await stream.quiet(lambda: stream.reader.comments == comments + 3)
        monkeypatch.setattr(database, "read", read)
        assert positions(await stream.take(1)) == [2]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_events_of_another_process_arrive_without_polling(service: InProcess, database_url: str) -> None:
    feed_of(service).tail._poll = NEVER
    async with InProcess.over(database_url) as other, streaming(service.app) as stream:
        await stream.begin()
        for number in range(1, 4):
            await create(other, "Pen")
            assert positions(await stream.take(1)) == [number]


async def test_events_of_this_process_arrive_without_polling(service: InProcess) -> None:
    feed_of(service).tail._poll = NEVER
    async with streaming(service.app) as stream:
        await stream.begin()
        for number in range(1, 4):
            await create(service, "Pen")
            assert positions(await stream.take(1)) == [number]
