"""The document of an event, there and back."""

import msgspec
import pytest
from hypothesis import given

from api.event_body import EventDocument, document, format_time, parse_time, stored
from eventstore.history import StoredEvent
from tests.support.stored import STORED_EVENTS


@given(STORED_EVENTS)
def test_an_event_comes_back_from_its_document_to_the_last_byte(event: StoredEvent) -> None:
    line = msgspec.json.encode(document(event))
    assert b"\n" not in line
    assert stored(msgspec.json.decode(line, type=EventDocument)) == event


def test_times_are_written_to_the_microsecond_and_read_with_any_offset() -> None:
    assert format_time(1_795_507_200_000_001) == "2026-11-24T08:00:00.000001Z"
    assert parse_time("2026-11-24T09:00:00.0000019+01:00") == 1_795_507_200_000_001
    with pytest.raises(ValueError, match="offset"):
        parse_time("2026-11-24T09:00:00")
