"""An event whose stored data is not JSON: answers stay JSON, and name it. Only the database's owner can store one."""

from asyncio import Event

import pytest

from api.events import export
from api.http.responses import Message
from tests.api.conftest import RequestLogs
from tests.support.clients.http import check_problem, scope_of
from tests.support.clients.requests import create
from tests.support.clients.streams import streaming, until
from tests.support.service import InProcess
from tests.support.tampering import tamper

#: Each would make invalid JSON, or other JSON, of an answer that contains it as it is.
DATA = ["{", '{"name":"Pen"', '{}},{"position":9', '"}', "", "{\n}", '{"name":"\x01"}', "{} "]


async def with_corrupt_event(service: InProcess, data: str) -> None:
    """Create five items, and replace the data of the third event, with hashes to match."""
    for _ in range(5):
        await create(service)
    async with service.owner() as database:
        await tamper(database, f"UPDATE events SET data = '{data}' WHERE position = 3", covered_up=True)


@pytest.mark.parametrize("data", DATA)
async def test_a_page_with_it_is_a_problem_that_names_it_and_other_pages_are_read(
    service: InProcess, request_logs: RequestLogs, data: str
) -> None:
    await with_corrupt_event(service, data)
    for path in ("/events", "/events/3", "/events?sort=-position&after=1", "/events?type=item.created.v1"):
        problem = check_problem(await service.client.get(path), 500, "log-changed")
        assert "the data of event 3 is not a JSON object on one line" in problem["detail"]
        logged = request_logs.log.calls[-1]
        assert (logged.method_name, *logged.args) == ("error", "log-changed")
        assert "event 3" in logged.kwargs["cause"]
    for path, positions in (("/events?before=3", [1, 2]), ("/events?after=3", [4, 5])):
        assert [event["position"] for event in (await service.client.get(path)).json()] == positions


@pytest.mark.parametrize("format", ["jsonl", "csv", "cloudevents"])
async def test_an_export_ends_before_it_and_visibly_incomplete(
    service: InProcess, format: str, request_logs: RequestLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_PAGE_ROWS", 1)
    await with_corrupt_event(service, "{")
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def never() -> Message:
        await Event().wait()
        raise AssertionError

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False} if not sent else await never()

    await service.app(scope_of("GET", f"/events/export?format={format}"), receive, send)
    assert sent[-1]["more_body"], "the last piece of the response was sent"
    text = b"".join(message["body"] for message in sent[1:]).decode()
    lines = [line for line in text.splitlines() if "item.created.v1" in line]
    assert len(lines) == 2
    line = request_logs.audit.calls[-1].kwargs
    assert (line["status"], line["code"]) == (200, "log-changed")


async def test_a_stream_ends_before_it_and_others_go_on(service: InProcess) -> None:
    await with_corrupt_event(service, "{")
    async with streaming(service.app) as stream, streaming(service.app, "after=3") as behind:
        for one in (stream, behind):
            assert (await one.begin()).status_code == 200
        assert [event["position"] for event in await stream.take(2)] == [1, 2]
        await until(stream.task.done)
        assert [event["position"] for event in await behind.take(2)] == [4, 5]
        await create(service)
        assert [event["position"] for event in await behind.take(1)] == [6]
