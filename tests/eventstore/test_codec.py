"""The bytes of events: stored events stay readable for ever, and are encoded the same."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import codec
from eventstore.errors import CorruptEventError, UnknownEventTypeError
from eventstore.events import EVENT_TYPES, Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, Metadata
from eventstore.log import history, tables
from eventstore.log.write_set import event_values
from eventstore.merkle.hashing import leaf_hash
from tests.eventstore.recording import ProposedEvent, at
from tests.support.evolved import EVOLVED

GOLDEN = Path(__file__).parent.parent / "golden"
FOUNTAIN_PEN = ItemCreated('F\u00fcller "\u2116 5" \U0001f58a / C:\\Stifte', Decimal("12345678901234.0001"), True)

#: The meaning of each golden file. A line here and its file never change; a new type adds one of each.
MEANING: dict[str, Event] = {
    "item.created.v1": FOUNTAIN_PEN,
    "item.changed.v1": ItemChanged(price=Decimal("-0.5"), in_stock=False),
    "item.deleted.v1": ItemDeleted(),
    "item.restored.v1": ItemRestored(),
}


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_bytes().decode()


def unmatched(names: Iterable[str]) -> set[str]:
    """Return the golden files that these type names lack, and those that belong to none of them."""
    return {path.name for path in GOLDEN.iterdir()} ^ {f"{name}.json" for name in (*names, "leaf")}


def test_every_readable_type_has_a_golden_file_and_every_file_a_type() -> None:
    assert codec.CODEC.readers.keys() == MEANING.keys()
    assert unmatched(codec.CODEC.readers) == set()


def test_a_missing_golden_file_and_a_missing_type_are_found() -> None:
    assert unmatched(EVOLVED.readers) == {"item.created.v2.json"}
    assert unmatched(name for name in MEANING if name != "item.changed.v1") == {"item.changed.v1.json"}


def test_the_writable_types_are_those_of_the_union() -> None:
    assert codec.CODEC.newest == set(EVENT_TYPES) == set(get_args(Event))


@pytest.mark.parametrize("name", MEANING)
def test_a_golden_file_decodes_to_the_same_event(name: str) -> None:
    decoded = codec.decode(1, name, golden(name))
    assert decoded == MEANING[name]
    assert type(decoded) is type(MEANING[name])


@pytest.mark.parametrize("name", [event_type.type for event_type in EVENT_TYPES])
def test_an_event_is_encoded_as_in_its_golden_file(name: str) -> None:
    assert codec.encode(MEANING[name]) == golden(name)
    assert MEANING[name].type == name


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (ItemChanged(), "{}"),
        (ItemChanged(name="Pen"), '{"name":"Pen"}'),
        (ItemChanged(in_stock=True), '{"in_stock":true}'),
        (ItemCreated("Pen", Decimal("1.50"), False), '{"name":"Pen","price":"1.50","in_stock":false}'),
    ],
)
def test_a_field_that_did_not_change_is_absent_and_a_price_is_a_string(event: Event, text: str) -> None:
    assert codec.encode(event) == text
    assert codec.decode(1, event.type, text) == event


@pytest.mark.parametrize("name", ["item.created.v2", "item.created", "ItemCreated", "", "item.created.v1 "])
def test_an_unknown_type_stops_with_its_position(name: str) -> None:
    with pytest.raises(UnknownEventTypeError) as raised:
        codec.decode(4711, name, "{}")
    assert str(raised.value) == (f"Event 4711 has the type {name!r}, which this version does not support.")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("item.created.v1", ""),
        ("item.created.v1", "{"),
        ("item.created.v1", "{}"),
        ("item.created.v1", "null"),
        ("item.created.v1", "[]"),
        ("item.created.v1", '{"name":"Pen","price":"1"}'),
        ("item.created.v1", '{"name":"Pen","price":"one","in_stock":true}'),
        ("item.created.v1", '{"name":"Pen","price":"1","in_stock":1}'),
        ("item.created.v1", '{"name":null,"price":"1","in_stock":true}'),
        ("item.created.v1", '{"name":"Pen","price":"1","in_stock":true,"colour":"red"}'),
        ("item.created.v1", '{"name":"Pen","price":"1","in_stock":true} x'),
        ("item.changed.v1", '{"nam":"Pen"}'),
        ("item.deleted.v1", '{"why":"old"}'),
        ("item.restored.v1", "true"),
    ],
)
def test_corrupt_data_stops_with_its_position(name: str, data: str) -> None:
    with pytest.raises(CorruptEventError) as raised:
        codec.decode(4711, name, data)
    assert str(raised.value).startswith(f"Event 4711 of type {name!r} cannot be decoded: ")


def test_a_leaf_equals_javascripts_json() -> None:
    # leaf.json was written once by JSON.stringify in Node.js; it has everything that encoders escape differently.
    metadata = Metadata(
        command_id="c\u00f6mmand",
        actor="J\u00fcrgen \U0001f58a <a&b> \"'\\/\x7f\x80\u2028\u2029\ufeff\x01\x1f\b\f\n\r\t",
        credential="key:a1b2c3d4 \u2028",
        correlation_id="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        fingerprint=bytes(range(0xE0, 0x100)),
    )
    proposed = ProposedEvent(42, 7, FOUNTAIN_PEN, metadata, ordinal=3)
    # The position is the largest integer that JavaScript represents exactly.
    row = dict(zip(tables.events.c.keys(), event_values(at(2**53 - 1, 1767225600123456, proposed)), strict=True))
    leaf = (GOLDEN / "leaf.json").read_bytes()
    assert row["data"] == golden("item.created.v1")
    assert history.leaf(history.StoredEvent(**row)) == leaf
    assert row["leaf_hash"] == leaf_hash(leaf)


prices = st.decimals(-(10**14) + 1, 10**14 - 1, places=4)
texts = st.text()
events = st.one_of(
    st.builds(ItemCreated, texts, prices, st.booleans()),
    st.builds(
        ItemChanged,
        st.just(msgspec.UNSET) | texts,
        st.just(msgspec.UNSET) | prices,
        st.just(msgspec.UNSET) | st.booleans(),
    ),
    st.builds(ItemDeleted),
    st.builds(ItemRestored),
)


@given(events)
def test_events_survive_encoding_and_decoding(event: Event) -> None:
    text = codec.encode(event)
    assert codec.decode(1, event.type, text) == event
    assert codec.encode(codec.decode(1, event.type, text)) == text
