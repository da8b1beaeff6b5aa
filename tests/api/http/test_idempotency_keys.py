"""The syntax of `Idempotency-Key`, and which spellings are one key."""

import pytest

from tests.support.clients.http import JSON, call, check_problem, part, unchanged_log
from tests.support.clients.keyed import ROUTES, Write, assert_replayed, numbers
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("bare", "quoted"), [("k-{}", '"k-{}"'), ("a[b]{}", '"a[b]{}"'), (" k{} ", '\t"k{}" ')])
async def test_both_spellings_are_one_key(shared: InProcess, bare: str, quoted: str) -> None:
    write = await Write.prepared(shared, "create")
    number = next(numbers)
    first = await write.send(shared, key=bare.format(number))
    assert_replayed(await write.send(shared, key=quoted.format(number)), first)
    check_problem(await write.send(shared, key=quoted.format(number), body=write.other), 422, "idempotency-key-reused")


async def test_keys_are_compared_exactly(shared: InProcess) -> None:
    write = await Write.prepared(shared, "create")
    keys = ["key", "Key", '"key "', '" key"', "key.", '"k ey"', '"key\\\\"', '"key\\""', "'key'", "0", "00"]
    answers = [await write.send(shared, key=key) for key in keys]
    assert len({answer.json()["id"] for answer in answers}) == len(keys)


INVALID_KEYS = [
    *(
        b"",
        b" ",
        b'""',
        b"a b",
        b'"',
        b'"a',
        b'a"',
        b'"a"b"',
        b'"a\\"',
        b'"a\\b"',
        b"a\\b",
        b"a,b",
        b'"a", "b"',
        b'"a";x=1',
    ),
    *(b"a\x00", b"a\x1f", b'"a\tb"', b'"\x7f"', b"\x7f", "é".encode(), "é".encode("latin-1"), b'"\xff"', b"a\nb"),
    *(b"\x0ba", b"a\x0c", b"\ra", b"a" * 256, b'"%s"' % (b"a" * 256), b'"%s"' % (b"\\\\" * 256)),
]


@pytest.mark.parametrize("name", ROUTES)
async def test_an_invalid_key_is_refused_and_nothing_is_written(shared_on_sqlite: InProcess, name: str) -> None:
    write = await Write.prepared(shared_on_sqlite, name)
    async with unchanged_log(shared_on_sqlite.services.database):
        for key in INVALID_KEYS:
            headers = [*JSON.items(), ("idempotency-key", key.decode("latin-1"))]
            answer = await call(shared_on_sqlite.app, write.method, write.path, part(write.body), headers=headers)
            assert answer is not None, key
            assert answer.status_code == 400, key
            check_problem(answer, 400, "invalid-header")


@pytest.mark.parametrize("keys", [("a", "b"), ("a", "a"), ('"a"', '"b"'), ("a", "")])
async def test_two_keys_are_refused(shared_on_sqlite: InProcess, keys: tuple[str, str]) -> None:
    headers = [*JSON.items(), *(("idempotency-key", key) for key in keys)]
    async with unchanged_log(shared_on_sqlite.services.database):
        answer = await call(shared_on_sqlite.app, "POST", "/items", part(b'{"name":"Pen","price":1}'), headers=headers)
    assert answer is not None
    check_problem(answer, 400, "invalid-header")


@pytest.mark.parametrize("key", ["a" * 255, f'"{"b" * 255}"', '"' + r"\"" * 255 + '"', "x", '" "', "~!#$%&'()*+-./"])
async def test_a_key_has_up_to_255_characters(shared: InProcess, key: str) -> None:
    write = await Write.prepared(shared, "create")
    first = await write.send(shared, key=key)
    assert_replayed(await write.send(shared, key=key), first)
