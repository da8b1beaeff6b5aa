"""The conversion between stored events and their documents."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.rfc3339 import format_time, parse_time
from api.schemas.event import EventDocument, to_event_document, to_stored_event
from eventstore.log.history import StoredEvent
from tests.support.stored import STORED_EVENTS


@given(STORED_EVENTS)
def test_an_event_document_round_trips_exactly(event: StoredEvent) -> None:
    line = msgspec.json.encode(to_event_document(event))
    assert b"\n" not in line
    assert to_stored_event(msgspec.json.decode(line, type=EventDocument)) == event


def test_times_are_written_to_the_microsecond_and_read_with_any_offset() -> None:
    assert format_time(1_795_507_200_000_001) == "2026-11-24T08:00:00.000001Z"
    assert parse_time("2026-11-24T09:00:00.0000019+01:00") == 1_795_507_200_000_001
    assert parse_time("2026-11-24t08:00:00z") == 1_795_507_200_000_000
    assert parse_time("2016-12-31T23:59:60.5Z") == parse_time("2017-01-01T00:00:00.5Z")
    assert parse_time("1969-12-31T23:59:59.999999Z") == -1


def test_a_time_outside_rfc_3339_is_still_formatted() -> None:
    assert format_time(253_402_300_799_999_999) == "9999-12-31T23:59:59.999999Z"
    assert format_time(253_402_300_800_000_000) == "10000-01-01T00:00:00.000000Z"
    assert format_time(2**63 - 1) == "294247-01-10T04:00:54.775807Z"
    assert format_time(-(2**63)) == "-290308-12-21T19:59:05.224192Z"
    assert format_time(-62_135_596_800_000_001) == "0000-12-31T23:59:59.999999Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_formatted_as_the_standard_library_does(time: datetime) -> None:
    microseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert format_time(microseconds) == time.isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-24T09:00:00", "2026-11-24", "2026-W48-2T09:00:00Z", "20261124T090000Z", "1795507200", "now", ""),
        *("2026-11-24T09:00Z", "2026-11-24T09:00:00.Z", "2026-11-24T09:00:00+0100", " 2026-11-24T09:00:00Z"),
        *(
            "2026-02-30T09:00:00Z",
            "2026-11-24T25:00:00Z",
            "2026-11-24T09:00:61Z",
            "0000-01-01T00:00:00Z",
            "2026-11-24T09:00:00+24:00",
            "2026-11-24T09:00:00Z\n",
        ),
        "\u0662026-11-24T09:00:00Z",
    ],
)
def test_a_text_that_is_not_an_rfc_3339_time_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|month|hour|second|offset|24|year"):
        parse_time(text)
