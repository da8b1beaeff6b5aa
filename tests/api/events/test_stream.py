"""`GET /events/stream`: what a client gets, when, and for how long."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from api.auth.api_keys import store
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


async def test_a_stream_is_what_was_and_then_what_comes(service: InProcess) -> None:
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


async def test_a_stream_goes_on_behind_the_last_event_that_came(service: InProcess) -> None:
    await create(service, *"abcde")
    for query, headers, expected in (
        ("after=3", {}, [4, 5]),
        ("", {"Last-Event-ID": "2"}, [3, 4, 5]),
        ("after=1", {"Last-Event-ID": "4"}, [5]),  # an EventSource asks again with the query that it has
        ("after=4", {"Last-Event-ID": "0"}, [1, 2, 3, 4, 5]),
    ):
        async with streaming(service.app, query, headers=headers) as stream:
            await stream.begin()
            assert positions(await stream.take(len(expected))) == expected


async def test_filters_choose_as_they_do_of_a_list(service: InProcess) -> None:
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
async def test_a_last_event_id_that_is_no_position_is_refused(small: InProcess, sent: str) -> None:
    check_problem(await small.client.get(PATH, headers={"Last-Event-ID": sent}), 400, "invalid-header")


@pytest.mark.parametrize("query", ["after=x", "after=-1", "item_id=x", "item_id=null", "limit=5", "nothing=1"])
async def test_a_query_that_can_not_be_is_refused(small: InProcess, query: str) -> None:
    check_problem(await small.client.get(f"{PATH}?{query}"), 400, "invalid-query")


async def test_a_position_that_the_log_does_not_have_is_not_waited_for(service: InProcess) -> None:
    await create(service, "Pen")
    async with streaming(service.app, "after=1") as stream:
        assert (await stream.begin()).status_code == 200
    for query, headers in (("after=2", {}), ("", {"Last-Event-ID": "99"})):
        answer = await service.client.get(f"{PATH}?{query}", headers=headers)
        assert check_problem(answer, 503, "position-not-reached")["detail"].startswith("The log is at position 1,")
        assert answer.headers["retry-after"] == "1"


async def test_head_asks_for_no_stream(service: InProcess) -> None:
    await create(service, "Pen")
    answer = await service.client.head(PATH)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "text/event-stream", b"")
    assert answer.headers["log-position"] == "1"
    assert feed_of(service).streams == 0


async def test_a_silent_log_is_told_of_by_comments(small: InProcess) -> None:
    feed_of(small).heartbeat = 0.02
    await create(small, "Pen")
    async with streaming(small.app, "after=1") as stream:
        await stream.begin()
        await stream.quiet(lambda: stream.reader.comments == 3)
        assert stream.reader.last_event_id == ""


async def test_a_stream_without_events_moves_the_place_to_resume_from(service: InProcess) -> None:
    feed_of(service).heartbeat = 0.02
    async with streaming(service.app, "actor=nobody") as stream:
        await stream.begin()
        await create(service, "Pen", "Ink")
        await stream.quiet(lambda: stream.reader.last_event_id == "2")
        for _ in range(3):  # where it stays it is not told again
            assert (await stream.message())["body"] == b":\n"


async def test_a_log_that_never_rests_does_not_keep_a_stream_silent(small: InProcess) -> None:
    feed_of(small).heartbeat = 0.05
    async with streaming(small.app, "actor=nobody") as stream:
        await stream.begin()
        writing = asyncio.create_task(create(small, *["Pen"] * 10_000))
        for place in (1, 10, 20):
            await stream.quiet(lambda: int(stream.reader.last_event_id or 0) >= place)  # noqa: B023
        writing.cancel()


async def test_a_stream_that_looks_through_the_log_for_long_is_told_how_far_it_is(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "_KEPT", 0)
    monkeypatch.setattr(history, "SCAN_LIMIT", 10)
    batch = [{"name": "Pen", "price": 1}] * 40
    made = await service.client.post("/items/batch", json=batch, headers={"X-Request-Id": "traced"})
    assert made.status_code == 201
    feed_of(service).heartbeat = 0.02
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


async def test_a_client_that_leaves_is_gone_at_once(small: InProcess) -> None:
    feed_of(small).heartbeat = NEVER
    async with streaming(small.app) as stream:
        await stream.begin()
        await stream.message()
        assert feed_of(small).streams == 1
    assert stream.task.done()
    assert feed_of(small).streams == 0
    assert feed_of(small).tail._subscribers == set()


async def test_one_stream_more_than_there_may_be_is_refused(sqlite_url: str) -> None:
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


async def test_one_stream_more_than_a_client_may_have_is_refused_and_others_have_theirs(sqlite_url: str) -> None:
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
        assert feed_of(service)._clients == {}
        async with streaming(service.app, headers=one) as third:
            assert (await third.begin()).status_code == 200


async def test_a_stream_ends_when_its_time_is_over(sqlite_url: str) -> None:
    async with InProcess.over(sqlite_url, stream_lifetime=0.05) as service:
        await create(service, "Pen")
        async with streaming(service.app) as stream:
            await stream.begin()
            assert positions(await stream.take(1)) == [1]
            assert await stream.rest() == b""


async def test_a_stream_ends_with_the_credential_that_it_was_asked_for_by(small: InProcess) -> None:
    feed_of(small).heartbeat = 0.02
    key = await make_key(small.services.database)
    as_read(small)
    async with streaming(small.app, headers=bearer(key.text)) as stream:
        assert (await stream.begin()).status_code == 200
        await stream.quiet(lambda: stream.reader.comments == 3)
        await small.services.database.write(lambda connection: store.revoke(connection, key.key.id, "test"))
        as_read(small)
        assert (await stream.rest()).replace(b":\n", b"") == b""


async def test_a_stop_ends_every_stream_and_refuses_more(service: InProcess) -> None:
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


async def test_a_client_that_does_not_read_holds_nobody_up(service: InProcess) -> None:
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


async def test_a_database_that_is_away_ends_no_stream(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    feed_of(service).heartbeat = 0.02
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
async def test_what_another_process_commits_comes_without_a_look_for_it(service: InProcess, database_url: str) -> None:
    feed_of(service).tail._poll = NEVER
    async with InProcess.over(database_url) as other, streaming(service.app) as stream:
        await stream.begin()
        for number in range(1, 4):
            await create(other, "Pen")
            assert positions(await stream.take(1)) == [number]


async def test_what_is_committed_here_comes_without_a_look_for_it(service: InProcess) -> None:
    feed_of(service).tail._poll = NEVER
    async with streaming(service.app) as stream:
        await stream.begin()
        for number in range(1, 4):
            await create(service, "Pen")
            assert positions(await stream.take(1)) == [number]
