"""The document of an event, there and back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.event_body import EventDocument, document, format_time, parse_time, stored
from eventstore.history import StoredEvent

_TEXT = st.text(st.characters(codec="utf-8"))
_EVENTS = st.builds(
    StoredEvent,
    position=st.integers(1, 2**63 - 1),
    item_id=st.integers(1, 2**63 - 1),
    version=st.integers(1, 2**63 - 1),
    data=st.dictionaries(_TEXT, _TEXT).map(lambda data: msgspec.json.encode(data).decode()),
    recorded_at=st.integers(0, 253_402_300_799_999_999),
    actor=_TEXT,
    type=_TEXT,
    command_id=_TEXT,
    ordinal=st.integers(0, 1000),
    fingerprint=st.binary(min_size=32, max_size=32),
    correlation_id=st.none() | _TEXT,
    causation_id=st.none() | _TEXT,
    leaf_hash=st.binary(min_size=32, max_size=32),
)


@given(_EVENTS)
def test_an_event_comes_back_from_its_document_to_the_last_byte(event: StoredEvent) -> None:
    line = msgspec.json.encode(document(event))
    assert b"\n" not in line
    assert stored(msgspec.json.decode(line, type=EventDocument)) == event


def test_times_are_written_to_the_microsecond_and_read_with_any_offset() -> None:
    assert format_time(1_795_507_200_000_001) == "2026-11-24T08:00:00.000001Z"
    assert parse_time("2026-11-24T09:00:00.0000019+01:00") == 1_795_507_200_000_001
    with pytest.raises(ValueError, match="offset"):
        parse_time("2026-11-24T09:00:00")
