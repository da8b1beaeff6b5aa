"""The bytes of an event stream, parsed as the standard says."""

import json

import msgspec
import pytest

from api.events import sse
from api.schemas.event import EventDocument, to_stored_event
from api.schemas.examples import SHARED, load
from eventstore.errors import InconsistentLogError
from eventstore.log.history import StoredEvent
from tests.support.clients.sse import Event, EventReader

EVENT = StoredEvent(7, 3, 2, "item.deleted.v1", "{}", 1, "ann", "key:a", "c", 0, bytes(32), "t", None, bytes(range(32)))


def with_data(data: str) -> StoredEvent:
    return msgspec.structs.replace(EVENT, data=data)


@pytest.mark.parametrize("data", ["{}", '{"name":"\u2028 \u2029 \x85 \U0001f58b \\n: id"}', '{"name":""}'])
def test_an_event_round_trips_exactly(data: str) -> None:
    (event,) = EventReader().feed(sse.encode_event(with_data(data)))
    assert (event.id, event.type) == ("7", "message")
    assert to_stored_event(msgspec.json.decode(event.data, type=EventDocument)) == with_data(data)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n"])
def test_line_ends_in_the_data_cannot_forge_fields(end: str) -> None:
    for data in (f'{{{end}id: 99{end}event: x{end}{end}data: "forged"{end}}}', f"{{{end}}}", f"{{}}{end}"):
        with pytest.raises(InconsistentLogError, match="the data of event 7 is not a JSON object on one line"):
            sse.encode_event(with_data(data))


def test_a_position_without_data_is_not_an_event_but_moves_the_resume_point() -> None:
    reader = EventReader("3")
    assert list(reader.feed(sse.encode_event(EVENT))) != []
    assert (list(reader.feed(sse.encode_position(12))), reader.last_event_id) == ([], "12")


def test_a_comment_is_not_an_event_and_keeps_the_resume_point() -> None:
    reader = EventReader("3")
    assert list(reader.feed(sse.COMMENT)) == []
    assert (reader.comments, reader.last_event_id) == (1, "3")
    assert [event.id for event in reader.feed(sse.encode_event(EVENT))] == ["7"]


def test_the_retry_time_is_sent() -> None:
    reader = EventReader()
    assert (list(reader.feed(sse.encode_retry(1200))), reader.retry) == ([], 1200)


def test_the_test_reader_parses_the_examples_of_the_standard() -> None:
    reader = EventReader()
    lines = b"data: YHOO\ndata: +2\ndata: 10\n\n: test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
    assert list(reader.feed(lines + b"data:  third event\n\ndata\n\ndata\ndata\n\ndata:")) == [
        Event("", "message", "YHOO\n+2\n10"),
        Event("1", "message", "first event"),
        Event("", "message", "second event"),
        Event("", "message", " third event"),
        Event("", "message", ""),
        Event("", "message", "\n"),
    ]


def test_the_example_in_the_openapi_document_is_the_example_of_an_event() -> None:
    example = load("events")["server_sent_event"]
    assert (example["id"], json.loads(example["data"])) == ("1", SHARED["event"])
