"""The formats of an export: no value is lost, and no value is run as a formula."""

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
#: The beginning of a formula in some spreadsheet, or the end of a cell before one.
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


#: Values that another separator splits into cells, each of which may begin with anything dangerous.
NASTY = st.text(st.sampled_from("=-@\uff1d;\t\r\n\"',x"))


def rows_of(text: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(text.decode(), newline=""), strict=True))


def undone(cell: str) -> str:
    """Remove the inserted apostrophes."""
    return re.sub(r"""(\A|[;\t\r\n]"*)'""", r"\1", cell)


@given(FEW_EVENTS)
def test_each_line_of_jsonl_is_the_document_of_an_event(events: list[StoredEvent]) -> None:
    encoder = JsonLinesEncoder("localhost/log", False)
    text = encoder.begin() + encoder.page(events) + encoder.end()
    assert text == b"".join(msgspec.json.encode(to_event_document(event)) + b"\n" for event in events)
    assert [to_stored_event(msgspec.json.decode(line, type=EventDocument)) for line in text.splitlines()] == events


@given(FEW_EVENTS)
def test_csv_contains_every_value_and_no_formula(events: list[StoredEvent]) -> None:
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
    return StoredEvent(1, 1, 1, "item.created.v1", data, 0, actor, None, "a", 0, bytes(32), None, None, bytes(32))


@given(NASTY, NASTY, st.sampled_from([",", ";", "\t"]))
def test_csv_has_no_formula_whatever_the_separator(actor: str, name: str, delimiter: str) -> None:
    text = CsvEncoder("localhost/log", False).page([event_of(actor, name)]).decode()
    rows = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter))
    assert not [cell for row in rows for cell in row if cell.startswith(DANGEROUS)]
    (row,) = rows_of(text.encode())
    assert (undone(row[5]), json.loads(row[11])) == (actor, {"name": name})


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
def test_an_apostrophe_is_inserted_before_a_formula(actor: str, written: str) -> None:
    text = CsvEncoder("localhost/log", False).page([event_of(actor)])
    ((*_, after),) = [rows_of(text)]
    assert after[5] == written
    assert b"\r\n" in text


def test_a_semicolon_before_a_formula_is_escaped_in_json() -> None:
    event = msgspec.structs.replace(event_of("anonymous"), data='{"name": "x;=1+1;y", "price":\t-1}')
    (row,) = rows_of(CsvEncoder("localhost/log", False).page([event]))
    assert row[11] == '{"name": "x\\u003b=1+1;y", "price": -1}'


def test_each_cloud_event_is_valid_for_the_sdk_and_contains_the_event() -> None:
    events = whole_log(7)
    first, second = CloudEventsEncoder("log.example/items", False), CloudEventsEncoder("log.example/items", True)
    text = first.begin() + first.page(events[:2]) + first.page(events[2:5]) + second.page(events[5:]) + second.end()
    batch = json.loads(text)
    assert len(text.splitlines()) == len(events) + 2
    for event, sent in zip(events, batch, strict=True):
        parsed = JSONFormat().read(None, json.dumps(sent))  # raises if it is not valid
        assert (parsed.get_specversion(), parsed.get_datacontenttype()) == ("1.0", "application/json")
        assert (parsed.get_source(), parsed.get_id()) == ("//log.example/items", str(event.position))
        assert (parsed.get_type(), parsed.get_subject()) == (event.type, f"items/{event.item_id}")
        assert parsed.get_time() == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.recorded_at)
        assert parsed.get_data() == json.loads(event.data)
        assert parsed.get_extension("sequence") == f"{event.position:019}"
        assert parsed.get_extension("correlationid") == event.correlation_id
        assert parsed.get_extension("leafhash") == event.leaf_hash.hex()
        assert parsed.get_extension("credential") == event.credential
        assert not {"traceparent", "causationid"} & sent.keys()
        assert None not in sent.values()


def test_an_empty_batch_of_cloud_events_is_an_empty_array() -> None:
    encoder = CloudEventsEncoder("Größe und mehr", False)
    assert json.loads(encoder.begin() + encoder.end()) == []
    page = CloudEventsEncoder("Größe und mehr", False).page(whole_log(1))
    assert json.loads(page)["source"] == "//Gr%C3%B6%C3%9Fe%20und%20mehr"


def test_parquet_contains_every_value_with_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP_EVENTS", 4)
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


def test_without_pyarrow_the_error_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"itemledger\[parquet\]"):
        ParquetEncoder("localhost/log", False)
