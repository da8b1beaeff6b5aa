"""Invalid bodies: each is refused with a problem that points at the error, and the log does not change."""

import pytest

from tests.support.clients.http import JSON, check_problem, unchanged_log
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: A case's name -> the body and the JSON Pointer of the error.
Cases = dict[str, tuple[bytes, str]]


def name(literal: str) -> bytes:
    return b'{"name":%s,"price":1}' % literal.encode()


def price(literal: str) -> bytes:
    return b'{"name":"a","price":%s}' % literal.encode()


def with_field(field: str) -> bytes:
    return b'{"name":"a","price":1,%s}' % field.encode()


def nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return b'{"name":"a","price":1,"x":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


NOT_JSON: Cases = {
    "empty": (b"", ""),
    "blank": (b" \n", ""),
    "truncated": (b'{"name":"a","price":1', ""),
    "truncated in a string": (b'{"name":"a', ""),
    "words": (b"name=a&price=1", ""),
    "single quotes": (b"{'name':'a','price':1}", ""),
    "trailing text": (name('"a"') + b"x", ""),
    "two documents": (name('"a"') * 2, ""),
    "trailing comma": (b'{"name":"a","price":1,}', ""),
    "comment": (b'{"name":"a","price":1/*x*/}', ""),
    "byte order mark": (b"\xef\xbb\xbf" + name('"a"'), ""),
    "NaN": (price("NaN"), ""),
    "Infinity": (price("Infinity"), ""),
    "-Infinity": (price("-Infinity"), ""),
    "leading zero": (price("01"), ""),
    "no fraction": (price("1."), ""),
    "no integer": (price(".5"), ""),
    "plus": (price("+1"), ""),
    "half a literal": (price("tru"), ""),
    "raw newline in a string": (name('"a\nb"'), ""),
    "unknown escape": (name(r'"\x41"'), ""),
    "short escape": (name(r'"\u00"'), ""),
    "high surrogate alone": (name(r'"\ud800"'), ""),
    "high surrogate before text": (name(r'"\ud83dx"'), ""),
    "high surrogate before another": (name(r'"\ud800\ud800"'), ""),
    "high surrogate before an escape": (name(r'"\ud800\u0041"'), ""),
    "low surrogate alone": (name(r'"\udc00"'), ""),
    "surrogates the wrong way round": (name(r'"\udc00\ud800"'), ""),
    "surrogate in a field's name": (with_field(r'"\ud800":1'), ""),
    "surrogate in a price": (price(r'"\ud800"'), ""),
}
WRONG_TYPES: Cases = {
    **{f"a whole {text}": (text.encode(), "") for text in ("[]", "null", '"x"', "1", "true", "[{}]")},
    **{f"name {text}": (name(text), "/name") for text in ("1", "1.5", "null", "true", "[]", "{}", '["a"]')},
    **{f"price {text}": (price(text), "/price") for text in ("null", "true", "[]", "{}", "[1]", '{"a":1}')},
    **{f"in_stock {text}": (with_field(f'"in_stock":{text}'), "/in_stock") for text in ("1", "0", '"true"', "null")},
}
WRONG_FIELDS: Cases = {
    "no field": (b"{}", "/name"),
    "no name": (b'{"price":1}', "/name"),
    "no price": (b'{"name":"a"}', "/price"),
    "unknown": (with_field('"colour":"red"'), "/colour"),
    "id is chosen by the service": (with_field('"id":7'), "/id"),
    "other case": (with_field('"In_Stock":true'), "/In_Stock"),
    "no name at all": (with_field('"":1'), "/"),
    "a pointer's own characters": (with_field('"a/b~c":1'), "/a~1b~0c"),
    "repeated, first wrong": (b'{"name":1,"name":"a","price":1}', "/name"),
}
#: What a parsed body, and so a schema, no longer shows.
REPEATED: Cases = {
    "repeated": (b'{"name":"Shown","price":1,"name":"Recorded"}', "/name"),
    "repeated with the same value": (with_field('"price":1'), "/price"),
    "repeated in other spelling": (with_field('"n\\u0061me":"b"'), "/name"),
    "repeated, with blanks and colons": (b' {"name" : "a: b" , "price" : 1 , "name"\n:\t":"}', "/name"),
    "repeated optional": (with_field('"in_stock":true,"in_stock":false'), "/in_stock"),
    "repeated unknown": (with_field('"a/b~":1,"a/b~":1'), "/a~1b~0"),
    "repeated in an object in an object": (with_field('"x":[{"y":{"z":1,"z":2}}]'), "/x/0/y/z"),
}
WRONG_NAMES: Cases = {
    **{f"blank {text!r}": (name(f'"{text}"'), "/name") for text in ("", " ", "\u00a0", "\u2003 ", "\u3000", "\\t")},
    **{f"control {code:#x}": (name(f'"a\\u{code:04x}"'), "/name") for code in (*range(0x20), *range(0x7F, 0xA0))},
    "NUL alone": (name(r'"\u0000"'), "/name"),
    "256 letters": (name(f'"{"x" * 256}"'), "/name"),
    "256 pens": (name('"' + "\U0001f58b" * 256 + '"'), "/name"),
}
WRONG_PRICES: Cases = {
    text: (price(text), "/price")
    for text in (
        *("1e14", "100000000000000", "-1e14", "99999999999999.99999", "1e400", "-1e400", "1e999999999"),
        *("0.00001", "1e-5", "9.99999", "-0.00001", "1e-999999999", "0." + "0" * 70 + "1", "9" * 5000),
        *('""', '"NaN"', '"nan"', '"sNaN"', '"Infinity"', '"-inf"', '"1e14"', '"0.00001"', '"9,99"', '"1_000"'),
        *('" 1"', '"1 "', '"+1"', '"01"', '".5"', '"5."', '"0x10"', '"abc"', '"1e"', '"\uff11"', '"\u0661"', '"1\\n"'),
        *('"\\u0000"', '"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', '"\\""', '"1\\""'),
    )
}
INVALID = {**NOT_JSON, **WRONG_TYPES, **WRONG_FIELDS, **REPEATED, **WRONG_NAMES, **WRONG_PRICES}

MALFORMED = {
    "invalid start byte": b'{"name":"\xff","price":1}',
    "latin-1": '{"name":"é","price":1}'.encode("latin-1"),
    "overlong": b'{"name":"\xc0\xaf","price":1}',
    "overlong NUL": b'{"name":"\xc0\x80","price":1}',
    "encoded surrogate": b'{"name":"\xed\xa0\x80","price":1}',
    "beyond Unicode": b'{"name":"\xf4\x90\x80\x80","price":1}',
    "cut character": b'{"name":"\xe2\x82',
    "in a field's name": b'{"\xff":1,"name":"a","price":1}',
    "outside strings": b'{"name":"a","price":1}\xff',
    "UTF-16": '{"name":"a","price":1}'.encode("utf-16"),
    "33 arrays": nested(b"[", b"]", 33),
    "33 objects": nested(b'{"a":', b"}", 33),
    "33 mixed": nested(b'[{"a":', b"}]", 17),
    "33 arrays alone": b"[" * 33 + b"]" * 33,
    "33 arrays without end": b"[" * 33,
    "33 arrays in a price": price("[" * 32 + "]" * 32),
    "33 arrays behind strings": b'["]]]\\"]]]",' * 33,
    "30,000 arrays": nested(b"[", b"]", 30_000),
    "30,000 arrays without end": b"[" * 30_000,
    "10,000 objects": nested(b'{"a":', b"}", 10_000),
}


async def test_the_table_has_every_case() -> None:
    parts = (NOT_JSON, WRONG_TYPES, WRONG_FIELDS, REPEATED, WRONG_NAMES, WRONG_PRICES)
    assert len(INVALID) == sum(map(len, parts)), "two cases have one name"


@pytest.mark.parametrize("case", INVALID)
async def test_an_invalid_body_is_refused_with_a_pointer_and_changes_nothing(
    shared_on_sqlite: InProcess, case: str
) -> None:
    body, pointer = INVALID[case]
    async with unchanged_log(shared_on_sqlite.services.database):
        answer = await shared_on_sqlite.client.post("/items", content=body, headers=JSON)
    (fault,) = check_problem(answer, 422, "invalid-body")["errors"]
    assert fault["pointer"] == pointer
    assert fault["detail"]


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_malformed_body_is_refused_and_changes_nothing(shared_on_sqlite: InProcess, case: str) -> None:
    async with unchanged_log(shared_on_sqlite.services.database):
        answer = await shared_on_sqlite.client.post("/items", content=MALFORMED[case], headers=JSON)
    problem = check_problem(answer, 400, "malformed-body")
    assert ("32 levels" in problem["detail"]) is ("0" in case or "33" in case)


@pytest.mark.parametrize(
    "body", [b"[" * 32 + b"]" * 32, nested(b"[", b"]", 32), nested(b'{"a":', b"}", 32), b"[]," * 100, b"]" * 100]
)
async def test_32_levels_are_not_too_deep(shared_on_sqlite: InProcess, body: bytes) -> None:
    async with unchanged_log(shared_on_sqlite.services.database):
        answer = await shared_on_sqlite.client.post("/items", content=body, headers=JSON)
    check_problem(answer, 422, "invalid-body")
