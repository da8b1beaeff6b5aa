"""Request bodies: complete, in time and of a permitted size, or no handler runs."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.support.clients.http import DISCONNECT, JSON, call, check_problem, part, unchanged_log
from tests.support.service import InProcess

BODY = b'{"name":"a","price":1}'
LIMIT = 64 * 1024
HEADERS = list(JSON.items())


def padded(size: int) -> bytes:
    return BODY + b" " * (size - len(BODY))


@contextmanager
def not_hanging(seconds: int) -> Iterator[None]:
    """Fail instead of running for minutes; this does not measure speed."""

    def stop(*_: object) -> None:
        raise AssertionError("still running")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "received",
    [(), (part(b"", more=True),), (part(BODY, more=True),), (part(BODY[:9], more=True), part(BODY[9:], more=True))],
    ids=["nothing", "an empty part", "all but the end", "two parts"],
)
async def test_a_body_that_ends_in_a_disconnect_runs_nothing(
    small: InProcess, received: tuple[dict[str, object], ...]
) -> None:
    async with unchanged_log(small.services.database):
        answer = await call(small.app, "POST", "/items", *received, DISCONNECT, headers=HEADERS)
    assert answer is None


@pytest.mark.parametrize("framing", [("content-length", "100"), ("transfer-encoding", "chunked")])
async def test_a_body_that_the_route_ignores_must_be_complete_too(service: InProcess, framing: tuple[str, str]) -> None:
    assert (await service.client.post("/items", content=BODY, headers=JSON)).status_code == 201
    async with unchanged_log(service.services.database):
        cut = await call(service.app, "DELETE", "/items/1", part(BODY, more=True), DISCONNECT, headers=[framing])
    assert cut is None
    whole = await call(service.app, "DELETE", "/items/1", part(BODY), headers=[framing])
    assert whole is not None
    assert whole.status_code == 204


async def test_a_body_may_come_in_any_number_of_parts(small: InProcess) -> None:
    parts = [part(bytes([byte]), more=True) for byte in BODY]
    answer = await call(small.app, "POST", "/items", *parts, part(b""), headers=HEADERS)
    assert answer is not None
    assert answer.json() == {"id": 1, "name": "a", "price": 1, "in_stock": True}


@pytest.mark.parametrize("received", [(), (part(BODY, more=True),)], ids=["nothing", "all but the end"])
async def test_a_body_that_takes_too_long_is_refused(small: InProcess, received: tuple[dict[str, object], ...]) -> None:
    async with unchanged_log(small.services.database):
        answer = await call(small.app, "POST", "/items", *received, headers=HEADERS)
    assert answer is not None
    check_problem(answer, 408, "body-timeout")
    # The rest of the body must not be parsed as the next request.
    assert answer.headers["connection"] == "close"


async def test_a_body_of_64_kib_is_accepted(small: InProcess) -> None:
    created = await small.client.post("/items", content=padded(LIMIT), headers=JSON)
    assert created.status_code == 201


async def test_a_longer_body_is_refused(small: InProcess) -> None:
    async with unchanged_log(small.services.database):
        by_length = await small.client.post("/items", content=padded(LIMIT + 1), headers=JSON)
        check_problem(by_length, 413, "body-too-large")
        # Chunked: no length is announced, so the bytes are counted as they arrive.
        half = part(padded(LIMIT // 2), more=True)
        chunks = (half, part(b" " * (LIMIT // 2), more=True), part(b" "))
        by_count = await call(small.app, "POST", "/items", *chunks, headers=HEADERS)
        assert by_count is not None
        check_problem(by_count, 413, "body-too-large")


async def test_a_content_length_that_is_too_large_is_refused_before_the_body_arrives(small: InProcess) -> None:
    for length in (LIMIT + 1, 10**30):
        answer = await call(small.app, "POST", "/items", headers=[*HEADERS, ("content-length", str(length))])
        assert answer is not None
        check_problem(answer, 413, "body-too-large")


@pytest.mark.parametrize("size", [LIMIT])
@pytest.mark.parametrize(
    "unit",
    [b'"', b"\\", b'\\"', b'"\\', b'"\\"', b'""', b'"a', b'\\\\"', b'[" ', b'["\\', b'{"a":"\\\\', b'"]', b"[]", b"]["],
)
async def test_a_body_of_quotes_and_backslashes_is_refused_in_one_pass(
    small: InProcess, unit: bytes, size: int
) -> None:
    for head in (b"[" * 33, b"[]" * 33, b'{"name":"', b""):
        body = (head + unit * size)[:size]
        with not_hanging(30):
            answer: httpx.Response = await small.client.post("/items", content=body, headers=JSON)
        assert answer.status_code in (400, 422)
