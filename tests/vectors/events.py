"""Vectors of events: a line of an export, the leaf's text, its hash; lines and data that are not valid."""

from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from api.schemas.event import to_event_document
from eventstore.codec import encode
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored
from eventstore.log.history import StoredEvent, leaf
from eventstore.merkle.hashing import leaf_hash

_GOLDEN = Path(__file__).parent.parent / "golden"
_STRANGE = "Jürgen 🖊 <a&b> \"'\\/ \u2028\u2029\ufeff\x01\x1f\x7f\b\f\n\r\t\x0b\u0085\U0001f600"
_BASE = StoredEvent(
    position=4,
    item_id=1,
    version=2,
    type="item.changed.v1",
    data='{"price":"19.95"}',
    recorded_at=1_795_590_780_216_298,
    actor="anonymous",
    credential=None,
    command_id="1a21f4893717f4a80e89500000008",
    ordinal=0,
    fingerprint=bytes(range(224, 256)),
    correlation_id="1a21f4893717f4a80e89500000007",
    causation_id=None,
    leaf_hash=b"",
)
#: One of every event type, and more.
_EVENTS: tuple[Event, ...] = (
    ItemCreated("Fountain pen", Decimal("24.5"), True),
    ItemCreated(_STRANGE, Decimal("12345678901234.0001"), False),
    ItemCreated("big", Decimal("999999999999999999"), True),
    ItemChanged(),
    ItemChanged(name=_STRANGE),
    ItemChanged(price=Decimal("-0.5"), in_stock=False),
    ItemDeleted(),
    ItemRestored(),
)


def build() -> dict[str, Any]:
    """Return events with their leaves, lines that are not events, and data of each kind."""
    return {
        "events": [_described(name, event) for name, event in _stored()],
        "not_events": [{"name": name, "line": line} for name, line in _changed_lines()],
        "data": [*_data()],
        "golden": _golden(),
    }


def _stored() -> Iterator[tuple[str, StoredEvent]]:
    for number, event in enumerate(_EVENTS):
        yield f"{event.type} {number}", replace(_BASE, type=event.type, data=encode(event))
    texts = dict.fromkeys(("actor", "credential", "command_id", "correlation_id", "causation_id"), _STRANGE)
    yield "strange texts", replace(_BASE, **texts)
    yield "empty texts", replace(_BASE, **dict.fromkeys(texts, ""))
    yield "the largest exact numbers", replace(_BASE, position=2**53 - 1, item_id=2**53 - 1, version=2**53 - 1)
    yield "a type of the future", replace(_BASE, type="item.moved.v7", data='{"to":["x",{"y":-1.5e-7}],"n":null}')
    for name, moment in (
        ("the epoch", 0),
        ("the microsecond after it", 1),
        ("a leap day", 1_709_251_199_999_999),
        ("the last time", 253_402_300_799_999_999),
    ):
        yield name, replace(_BASE, recorded_at=moment)


def _line(event: StoredEvent) -> str:
    return msgspec.json.encode(to_event_document(event)).decode()


def _described(name: str, event: StoredEvent) -> dict[str, Any]:
    text = leaf(event)
    hashed = sha256(b"\0" + text).digest()
    assert hashed == leaf_hash(text)
    event = replace(event, leaf_hash=hashed)
    columns = asdict(to_event_document(event)) | {"data": event.data}
    del columns["leaf_hash"]
    return {
        "name": name,
        "line": _line(event),
        "leaf": text.decode(),
        "leaf_hash": hashed.hex(),
        "columns": columns,
    }


def _changed_lines() -> Iterator[tuple[str, str]]:
    line = _described("", _BASE)["line"]
    for name, old, new in (
        ("a space", ":", ": "),
        ("a space at the end", "}", "} "),
        ("a member twice", '{"', '{"actor":"eve","'),
        ("members in another order", '"actor":"anonymous","credential":null', '"credential":null,"actor":"anonymous"'),
        ("a member more", '"leaf_hash"', '"more":1,"leaf_hash"'),
        ("a member less", '"causation_id":null,', ""),
        ("a text for a number", '"position":4', '"position":"4"'),
        ("a fraction", '"position":4', '"position":4.0'),
        ("an exponent", '"position":4', '"position":4e0'),
        ("a leading zero", '"position":4', '"position":04'),
        ("a negative number", '"ordinal":0', '"ordinal":-1'),
        ("a number for a text", '"actor":"anonymous"', '"actor":1'),
        ("no actor", '"actor":"anonymous"', '"actor":null'),
        ("an escape that is not needed", '"anonymous"', '"an\\u006fnymous"'),
        ("a solidus that is escaped", '"anonymous"', '"an\\/nymous"'),
        ("half a surrogate pair", '"anonymous"', '"\\ud83d"'),
        ("an escape in capitals", '"anonymous"', '"\\u001F"'),
        ("a long escape of a newline", '"anonymous"', '"\\u000a"'),
        ("a control character", '"anonymous"', '"\x01"'),
        ("a time with more digits", '298Z"', '2980Z"'),
        ("a time with fewer digits", '298Z"', '29Z"'),
        ("a time with an offset", '298Z"', '298+00:00"'),
        ("a small z", '298Z"', '298z"'),
        ("a day that does not exist", "2026-11-25T", "2026-11-31T"),
        ("a month that does not exist", "2026-11-25T", "2026-13-25T"),
        ("a leap second", ":00.216298Z", ":60.216298Z"),
        ("an hour that does not exist", "T07:", "T24:"),
        ("a fingerprint in capitals", '"fingerprint":"e0', '"fingerprint":"E0'),
        ("a fingerprint that is too short", '"fingerprint":"e0', '"fingerprint":"'),
        ("data that is not JSON", '{"price":"19.95"}', '{"price":19.95.1}'),
        ("a comma at the end", '{"price":"19.95"}', '{"price":"19.95",}'),
        ("a byte order mark", '{"position"', '\ufeff{"position"'),
    ):
        assert old in line, name
        yield name, line.replace(old, new, 1)
    for name, text in (("nothing", ""), ("an empty object", "{}"), ("an array", "[]"), ("half a line", line[:-40])):
        yield name, text


def _data() -> Iterator[dict[str, Any]]:
    """Yield data of an event type, and whether it is `known`, of an `unknown` type, or `invalid`."""
    created, changed, other = "item.created.v1", "item.changed.v1", "item.moved.v7"
    cases: dict[tuple[str, str], tuple[str, ...]] = {
        ("known", created): (
            '{"name":"a","price":"1","in_stock":true}',
            '{"in_stock":false,"price":"-0.0001","name":""}',
            '{"name":"a","price":"123456789012345678","in_stock":true}',
            '{"name":"a","price":"1E+3","in_stock":true}',
            '{"name":"a","price":1.5,"in_stock":true}',
            '{"name":"a","price":7,"in_stock":true}',
        ),
        ("known", changed): ("{}", '{"name":"\\u0001\\n"}', '{"price":"0"}', '{"in_stock":false}'),
        ("known", "item.deleted.v1"): ("{}",),
        ("known", "item.restored.v1"): ("{}",),
        ("unknown", other): ("{}", "[]", "1", '"a"', "null", '{"a":{"b":[1,-2.5,1e22,true,"\u2028"]}}', f"{2**64}"),
        ("unknown", "toString"): ("{}",),
        ("invalid", created): (
            "{}",
            "[]",
            "null",
            '{"name":"a","price":"1"}',
            '{"name":"a","price":"1","in_stock":true,"more":1}',
            '{"name":"a","price":"1","in_stock":true,"__proto__":1}',
            '{"name":"a","price":"1","in_stock":"true"}',
            '{"name":"a","price":"1","in_stock":null}',
            '{"name":1,"price":"1","in_stock":true}',
            '{"name":"a","price":"","in_stock":true}',
            '{"name":"a","price":"1.2.3","in_stock":true}',
            '{"name":"a","price":"0x10","in_stock":true}',
            '{"name":"a","price":true,"in_stock":true}',
            '{"name":"a", "price":"1","in_stock":true}',
            '{"name":"a","name":"a","price":"1","in_stock":true}',
            '{"name":"\\u0061","price":"1","in_stock":true}',
            '{"name":"a","price":-0,"in_stock":true}',
        ),
        ("invalid", "item.deleted.v1"): ('{"name":"a"}', "", "{", "{}{}", "{} "),
        ("invalid", other): (
            "", "{", "}", "[1,]", "[,]", "{,}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1,"a":2}', "[1 ,2]", "01", "+1",
            ".5", "1.", "-", "-0", "1e400", "NaN", "Infinity", "tru", "'a'", '"\\x"', '"\\u00e9"', '"\n"', '"a',
            "{} {}",
        ),
    }  # fmt: skip
    for (expected, type), texts in cases.items():
        yield from ({"type": type, "data": text, "expected": expected} for text in texts)


def _golden() -> dict[str, str]:
    """Return the files of stored data, by their event type, and the leaf that no release may change."""
    return {path.name.removesuffix(".json"): path.read_text() for path in sorted(_GOLDEN.glob("*.json"))}
