"""Events in the formats of an export: nothing is lost, and nothing in it is more than text to whoever opens it."""

import csv
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO

import msgspec
import pyarrow.parquet
import pytest
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from api.export import parquet
from api.export.cloudevents import CloudEventsEncoder
from api.export.csv import CsvEncoder
from api.export.jsonl import JsonLinesEncoder
from api.export.parquet import MissingExtraError, ParquetEncoder
from api.schemas.event import EventDocument, to_event_document, to_stored_event
from eventstore.log.history import StoredEvent
from tests.support.stored import STORED_EVENTS, whole_log

FEW_EVENTS = st.lists(STORED_EVENTS, min_size=1, max_size=5)
#: What a spreadsheet may take for the beginning of a formula, or for the end of a cell that has one.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


#: Values that are cut at other signs by who separates by them, and then have all that is dangerous behind these.
NASTY = st.text(st.sampled_from("=-@\uff1d;\t\r\n\"',x"))


def rows_of(text: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(text.decode(), newline=""), strict=True))


def undone(cell: str) -> str:
    """Take the apostrophes away that were put in."""
    return re.sub(r"""(\A|[;\t\r\n]"*)'""", r"\1", cell)


@given(FEW_EVENTS)
def test_each_line_of_jsonl_is_an_event_s_document_and_nothing_else(events: list[StoredEvent]) -> None:
    encoder = JsonLinesEncoder("localhost/log", False)
    text = encoder.begin() + encoder.page(events) + encoder.end()
    assert text == b"".join(msgspec.json.encode(to_event_document(event)) + b"\n" for event in events)
    assert [to_stored_event(msgspec.json.decode(line, type=EventDocument)) for line in text.splitlines()] == events


@given(FEW_EVENTS)
def test_csv_holds_every_value_and_no_cell_that_a_spreadsheet_would_run(events: list[StoredEvent]) -> None:
    encoder = CsvEncoder("localhost/log", False)
    header, *rows = rows_of(encoder.begin() + encoder.page(events) + encoder.end())
    assert tuple(header) == EventDocument.__struct_fields__
    for event, row in zip(events, rows, strict=True):
        assert not [cell for cell in row if cell.startswith(DANGEROUS)]
        cells = dict(zip(header, row, strict=True))
        assert json.loads(cells.pop("data")) == json.loads(event.data)
        expected = {name: getattr(to_event_document(event), name) for name in cells}
        assert {name: undone(cell) for name, cell in cells.items()} == {
            name: "" if value is None else str(value) for name, value in expected.items()
        }


def event_of(actor: str, name: str = "Pen") -> StoredEvent:
    data = msgspec.json.encode({"name": name}).decode()
    return StoredEvent(1, 1, 1, "item.created.v1", data, 0, actor, "a", 0, bytes(32), None, None, bytes(32))


@given(NASTY, NASTY, st.sampled_from([",", ";", "\t"]))
def test_csv_has_no_formula_whatever_it_is_cut_at(actor: str, name: str, delimiter: str) -> None:
    text = CsvEncoder("localhost/log", False).page([event_of(actor, name)]).decode()
    rows = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter))
    assert not [cell for row in rows for cell in row if cell.startswith(DANGEROUS)]
    (row,) = rows_of(text.encode())
    assert (undone(row[5]), json.loads(row[10])) == (actor, {"name": name})


@pytest.mark.parametrize(
    ("actor", "written"),
    [
        *((sign, f"'{sign}") for sign in ("=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1+1", "'=1")),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        ("x;=1+1;y", "x;'=1+1;y"),
        ('x;"=1+1";y', 'x;"\'=1+1";y'),
        ("x;'=1", "x;''=1"),
        ("a=1; b-c", "a=1; b-c"),
    ],
)
def test_what_begins_like_a_formula_gets_an_apostrophe_in_front(actor: str, written: str) -> None:
    text = CsvEncoder("localhost/log", False).page([event_of(actor)])
    ((*_, after),) = [rows_of(text)]
    assert after[5] == written
    assert b"\r\n" in text


def test_a_semicolon_before_a_formula_is_written_otherwise_in_json() -> None:
    event = msgspec.structs.replace(event_of("anonymous"), data='{"name": "x;=1+1;y",\n"price":\t-1}')
    (row,) = rows_of(CsvEncoder("localhost/log", False).page([event]))
    assert row[10] == '{"name": "x\\u003b=1+1;y", "price": -1}'


def test_each_cloud_event_is_one_to_its_own_sdk_and_holds_the_event() -> None:
    events = whole_log(7)
    first, second = CloudEventsEncoder("log.example/items", False), CloudEventsEncoder("log.example/items", True)
    text = first.begin() + first.page(events[:2]) + first.page(events[2:5]) + second.page(events[5:]) + second.end()
    batch = json.loads(text)
    assert len(text.splitlines()) == len(events) + 2
    for event, sent in zip(events, batch, strict=True):
        taken = JSONFormat().read(None, json.dumps(sent))  # raises where it is none
        assert (taken.get_specversion(), taken.get_datacontenttype()) == ("1.0", "application/json")
        assert (taken.get_source(), taken.get_id()) == ("//log.example/items", str(event.position))
        assert (taken.get_type(), taken.get_subject()) == (event.type, f"items/{event.item_id}")
        assert taken.get_time() == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.recorded_at)
        assert taken.get_data() == json.loads(event.data)
        assert taken.get_extension("sequence") == f"{event.position:019}"
        assert taken.get_extension("correlationid") == event.correlation_id
        assert taken.get_extension("leafhash") == event.leaf_hash.hex()
        assert not {"traceparent", "causationid"} & sent.keys()
        assert None not in sent.values()


def test_an_empty_batch_of_cloud_events_is_an_empty_array() -> None:
    encoder = CloudEventsEncoder("Größe und mehr", False)
    assert json.loads(encoder.begin() + encoder.end()) == []
    page = CloudEventsEncoder("Größe und mehr", False).page(whole_log(1))
    assert json.loads(page)["source"] == "//Gr%C3%B6%C3%9Fe%20und%20mehr"


def test_parquet_holds_every_value_with_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_GROUP", 4)
    events = whole_log(10)
    encoder = ParquetEncoder("localhost/log", False)
    parts = [
        encoder.begin(),
        encoder.page(events[:3]),
        encoder.page(events[3:6]),
        encoder.page(events[6:]),
        encoder.end(),
    ]
    assert [bool(part) for part in parts] == [True, False, True, True, True]
    file = pyarrow.parquet.ParquetFile(BytesIO(b"".join(parts)))
    assert file.num_row_groups == 2
    table = file.read()
    assert table.schema.names == list(EventDocument.__struct_fields__)
    recorded_at = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.recorded_at) for event in events]
    assert table.column("recorded_at").to_pylist() == recorded_at
    rows = [msgspec.structs.asdict(event) for event in events]
    for name in set(table.schema.names) - {"recorded_at"}:
        assert table.column(name).to_pylist() == [row[name] for row in rows]


def test_an_empty_parquet_file_has_its_columns() -> None:
    encoder = ParquetEncoder("localhost/log", False)
    table = pyarrow.parquet.read_table(BytesIO(encoder.begin() + encoder.end()))
    assert (table.num_rows, table.schema.names) == (0, list(EventDocument.__struct_fields__))


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"itemledger\[parquet\]"):
        ParquetEncoder("localhost/log", False)
