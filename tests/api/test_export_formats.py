"""Events in the formats of an export: nothing is lost, and nothing in it is more than text to whoever opens it."""

import csv
from io import StringIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.event_body import EventDocument, document, stored
from api.export.csv_rows import CsvEncoder
from api.export.json_lines import JsonLinesEncoder
from eventstore.history import StoredEvent
from tests.support.stored import STORED_EVENTS

FEW_EVENTS = st.lists(STORED_EVENTS, min_size=1, max_size=5)
#: What a spreadsheet may take for the beginning of a formula, or for the end of a cell that has one.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def rows_of(text: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(text.decode(), newline=""), strict=True))


@given(FEW_EVENTS)
def test_each_line_of_jsonl_is_an_event_s_document_and_nothing_else(events: list[StoredEvent]) -> None:
    encoder = JsonLinesEncoder(False)
    text = encoder.begin() + encoder.page(events) + encoder.end()
    assert text == b"".join(msgspec.json.encode(document(event)) + b"\n" for event in events)
    assert [stored(msgspec.json.decode(line, type=EventDocument)) for line in text.splitlines()] == events


@given(FEW_EVENTS)
def test_csv_holds_every_value_and_no_cell_that_a_spreadsheet_would_run(events: list[StoredEvent]) -> None:
    encoder = CsvEncoder(False)
    header, *rows = rows_of(encoder.begin() + encoder.page(events) + encoder.end())
    assert tuple(header) == EventDocument.__struct_fields__
    for event, row in zip(events, rows, strict=True):
        assert not [cell for cell in row if cell.startswith(DANGEROUS)]
        expected = msgspec.structs.asdict(document(event)) | {"data": event.data}
        assert [cell.removeprefix("'") for cell in row] == [
            "" if value is None else str(value) for value in expected.values()
        ]


@pytest.mark.parametrize("actor", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "'=1"])
def test_what_begins_like_a_formula_gets_an_apostrophe_in_front(actor: str) -> None:
    event = StoredEvent(1, 1, 1, "item.created.v1", "{}", 0, actor, "a", 0, bytes(32), None, None, bytes(32))
    ((*_, after),) = [rows_of(CsvEncoder(False).page([event]))]
    assert after[5] == f"'{actor}"
    assert b"\r\n" in CsvEncoder(False).page([event])
