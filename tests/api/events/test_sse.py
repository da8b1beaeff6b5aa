"""The bytes of an event stream, read as the standard has it."""

import msgspec
import pytest

from api.events import sse
from api.schemas.event import EventDocument, stored
from eventstore.log.history import StoredEvent
from tests.support.clients.sse import Event, EventReader

EVENT = StoredEvent(7, 3, 2, "item.deleted.v1", "{}", 1, "ann", "c", 0, bytes(32), "t", None, bytes(range(32)))


def with_data(data: str) -> StoredEvent:
    return msgspec.structs.replace(EVENT, data=data)


@pytest.mark.parametrize("data", ["{}", '{"name":"\u2028 \u2029 \x85 \U0001f58b \\n: id"}', '{"name":""}'])
def test_an_event_comes_back_to_the_last_byte(data: str) -> None:
    (event,) = EventReader().feed(sse.frame(with_data(data)))
    assert (event.id, event.type) == ("7", "message")
    assert stored(msgspec.json.decode(event.data, type=EventDocument)) == with_data(data)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n"])
def test_what_stands_behind_the_end_of_a_line_is_not_taken_for_ours(end: str) -> None:
    reader = EventReader()
    (event,) = reader.feed(sse.frame(with_data(f'{{{end}id: 99{end}event: x{end}{end}data: "forged"{end}}}')))
    assert (event.id, event.type, reader.last_event_id) == ("7", "message", "7")
    assert "forged" in event.data


def test_a_place_is_no_event_and_yet_where_a_reader_resumes() -> None:
    reader = EventReader("3")
    assert list(reader.feed(sse.frame(EVENT))) != []
    assert (list(reader.feed(sse.place(12))), reader.last_event_id) == ([], "12")


def test_a_comment_is_neither() -> None:
    reader = EventReader("3")
    assert list(reader.feed(sse.COMMENT)) == []
    assert (reader.comments, reader.last_event_id) == (1, "3")
    assert [event.id for event in reader.feed(sse.frame(EVENT))] == ["7"]


def test_the_time_to_wait_is_said() -> None:
    reader = EventReader()
    assert (list(reader.feed(sse.retry(1200))), reader.retry) == ([], 1200)


def test_the_reader_of_the_tests_reads_what_the_standard_gives_as_examples() -> None:
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
