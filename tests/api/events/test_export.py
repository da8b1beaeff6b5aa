"""`GET /events/export`: its content in each format, and how it ends on errors."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from api.edge.context import RequestContext, current
from api.events import export as exports
from api.events.export import EventExport, ExportQuery, export_events
from api.export.formats import STREAMED, Format
from api.http.responses import Message
from api.schemas.event import EventDocument, to_stored_event
from api.schemas.examples import SHARED, load
from eventstore.log.history import Filter, StoredEvent
from tests.eventstore.recording import changed, created, record
from tests.support.clients.http import check_problem
from tests.support.service import InProcess

EVENTS = 40
EXPORT = "/events/export"


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_PAGE_ROWS", 7)


@pytest.fixture
async def filled(service: InProcess) -> InProcess:
    """The service over a log with an event for each second."""
    for position in range(1, EVENTS // 2 + 1):
        await record(service.services.database, [created(position)], now=position * 1_000_000)
    for item in range(1, EVENTS // 2 + 1):
        await record(service.services.database, [changed(item, 2)], now=(EVENTS // 2 + item) * 1_000_000)
    return service


async def whole_log(service: InProcess) -> list[StoredEvent]:
    return [event async for page in service.services.history.pages(Filter(before=EVENTS + 1), 100) for event in page]


def encoded(format: Format, events: list[StoredEvent]) -> bytes:
    encoder = format.encoder("localhost/log", False)
    return encoder.begin() + encoder.page(events) + encoder.end()


@pytest.mark.parametrize("format", STREAMED, ids=lambda format: format.name)
async def test_all_events_are_exported_in_the_requested_format(filled: InProcess, format: Format) -> None:
    expected = encoded(format, await whole_log(filled))
    asked = [({"format": format.name}, {"accept": "text/csv"})]
    asked += [({}, {"accept": f"text/html;q=0.1, {media_type}"}) for media_type in format.media_types]
    for query, headers in asked:
        answer = await filled.client.get(EXPORT, params=query, headers=headers)
        assert (answer.status_code, answer.content) == (200, expected)
        assert answer.headers["content-type"] == format.media_types[0]
        assert answer.headers["content-disposition"] == f'attachment; filename="events.{format.name}"'
        assert answer.headers["log-position"] == str(EVENTS)
        assert answer.headers["cache-control"] == "no-store"
        assert "content-length" not in answer.headers


@pytest.mark.parametrize("format", STREAMED, ids=lambda format: format.name)
def test_the_example_of_a_format_is_an_export_of_the_example_of_an_event(format: Format) -> None:
    event = to_stored_event(msgspec.json.decode(msgspec.json.encode(SHARED["event"]), type=EventDocument))
    encoder = format.encoder("ledger.example/items", False)
    text = encoder.begin() + encoder.page([event]) + encoder.end()
    example = load("events")["export"][format.name]
    assert example == (text.decode() if isinstance(example, str) else json.loads(text))


async def test_the_default_format_is_json_lines(filled: InProcess) -> None:
    for headers in ({}, {"accept": "*/*"}, {"accept": "image/png"}):
        assert (await filled.client.get(EXPORT, headers=headers)).headers["content-type"] == "application/jsonl"


async def positions(service: InProcess, **query: str | int) -> list[int]:
    answer = await service.client.get(EXPORT, params=query)
    assert answer.status_code == 200, answer.text
    return [json.loads(line)["position"] for line in answer.text.splitlines()]


async def test_filters_work_as_in_lists(filled: InProcess) -> None:
    assert await positions(filled, item_id=3) == [3, 23]
    assert await positions(filled, type="item.changed.v1", before=24) == [21, 22, 23]
    assert await positions(filled, actor="nobody") == []
    assert await positions(filled, command_id="4.1") == [4]
    assert await positions(filled, **{"from": "1970-01-01T00:00:03Z", "to": "1970-01-01T01:00:05.5+01:00"}) == [3, 4, 5]
    assert await positions(filled, **{"from": "2400-01-01T00:00:00Z"}) == []
    assert await positions(filled, after=EVENTS) == []


async def test_an_export_continued_by_after_is_complete(filled: InProcess) -> None:
    whole = (await filled.client.get(EXPORT)).content
    first = b"".join(whole.splitlines(keepends=True)[:17])
    assert first + (await filled.client.get(f"{EXPORT}?after=17")).content == whole
    header, *rows = (await filled.client.get(f"{EXPORT}?after=38&format=csv")).text.splitlines()
    assert [row[0] for row in csv.reader(rows)] == ["39", "40"]
    assert header.startswith("position,item_id,")


async def test_an_invalid_export_is_rejected_before_it_starts(filled: InProcess) -> None:
    for query in ("format=xml", "format=parquet", "from=yesterday", "type=x", "limit=1", "sort=position"):
        check_problem(await filled.client.get(f"{EXPORT}?{query}"), 400, "invalid-query")
    ahead = check_problem(await filled.client.get(f"{EXPORT}?after=41"), 503, "position-not-reached")
    assert ahead["detail"] == "Cannot resume: the requested position 41 is ahead of the log, which is at 40"


async def test_events_appended_during_an_export_are_not_part_of_it(filled: InProcess) -> None:
    _, answer = await begun(filled)
    await record(filled.services.database, [created(EVENTS + 1)])
    assert len(b"".join(await sent_by(answer)).splitlines()) == EVENTS


async def test_events_appended_while_the_bounds_are_read_cause_no_error(
    filled: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = filled.services.history.bounds

    async def overtaken(chosen: Filter, **times: int) -> tuple[int, Filter]:
        await record(filled.services.database, [created(EVENTS + 1)])
        return await bounds(chosen, **times)

    monkeypatch.setattr(filled.services.history, "bounds", overtaken)
    assert await positions(filled, **{"from": "2400-01-01T00:00:00Z"}) == []


async def test_a_disconnected_client_ends_the_export(filled: InProcess) -> None:
    request, answer = await begun(filled)
    gone = asyncio.Event()
    request.disconnected = gone.wait  # type: ignore[assignment]
    parts: list[bytes] = []

    async def send(message: Message) -> None:
        if part := message.get("body"):
            parts.append(part)
            gone.set()
            await asyncio.sleep(0)

    await answer.to_asgi(send)
    assert len(parts) == 1


async def test_head_reads_no_events(filled: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> AsyncIterator[list[StoredEvent]]:
        raise AssertionError
        yield []

    monkeypatch.setattr(filled.services.history, "pages", fail)
    answer = await filled.client.head(f"{EXPORT}?format=csv")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "text/csv", b"")


async def begun(service: InProcess) -> tuple[RequestContext, EventExport]:
    """Return a request for an export of all events, and its response before anything is sent."""
    request = RequestContext(
        services=service.services,
        request_id="a1",
        correlation_id=None,
        method="GET",
        path=EXPORT,
        headers={},
        address="127.0.0.1",
        disconnected=asyncio.Event().wait,  # type: ignore[arg-type]
        query=ExportQuery(),
    )
    current.set(request)
    return request, await export_events()


async def sent_by(answer: EventExport) -> list[bytes]:
    parts: list[bytes] = []

    async def send(message: Message) -> None:
        parts.append(message.get("body", b""))

    await answer.to_asgi(send)
    return parts
