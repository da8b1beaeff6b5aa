"""What a request costs before it is counted is linear and bounded: its target, its header fields, its body's parts."""

import asyncio
from collections.abc import Iterator

import pytest

from api.edge import boundary
from api.edge.exchange import Exchange, combined
from api.edge.rate_limits import RateLimits
from api.http import client_address
from api.http.client_address import UNKNOWN, canonical, is_local
from tests.support.clients.http import converse
from tests.support.clients.load import request
from tests.support.service import InProcess, Server, migrate, serving

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
CHUNKED = request("POST", "/items").removesuffix(b"\r\n") + b"Transfer-Encoding: chunked\r\n"
TEXT = b"Content-Type: text/plain\r\n"


class Unadded(bytes):
    """A value that is copied once, when all are joined."""

    def __add__(self, other: object) -> bytes:
        raise AssertionError("repeated headers are joined one by one, each time with all before")


@pytest.fixture(scope="module")
def server(shared_url: str) -> Iterator[Server]:
    asyncio.run(migrate(shared_url))
    with serving(shared_url) as running:
        yield running


def status(server: Server, data: bytes) -> int:
    return [answer.status_code for answer in converse(server.port, data)][-1]


def test_the_number_of_header_fields_is_limited(server: Server) -> None:
    for more, expected in ((98, 200), (99, 431), (25_000, 431)):
        assert status(server, LIVEZ + b"b:c\r\n" * more + b"\r\n") == expected


def test_the_limit_of_header_fields_is_a_setting(sqlite_url: str) -> None:
    asyncio.run(migrate(sqlite_url))
    with serving(sqlite_url, environment={"ITEMLEDGER_MAX_HEADER_FIELDS": "20"}) as server:
        assert status(server, LIVEZ + b"b:c\r\n" * 18 + b"\r\n") == 200
        assert status(server, LIVEZ + b"b:c\r\n" * 19 + b"\r\n") == 431


def test_a_head_that_arrives_at_once_is_limited_too(server: Server) -> None:
    for length, expected in ((60_000, 200), (70_000, 431)):
        assert status(server, LIVEZ + b"X-Long: " + b"x" * length + b"\r\n\r\n") == expected


def test_the_head_before_it_on_the_connection_does_not_count(server: Server) -> None:
    half = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n"
    assert status(server, half + LIVEZ + b"X-Long: " + b"x" * 40_000 + b"\r\n\r\n") == 200


def test_the_length_of_a_target_is_limited(server: Server) -> None:
    for length, expected in ((8000, 404), (8200, 414), (60_000, 414)):
        assert status(server, LIVEZ.replace(b"/livez", b"/" + b"%41" * (length // 3)) + b"\r\n") == expected


def test_the_small_parts_of_a_body_are_limited(server: Server) -> None:
    # Behind the limit the connection ends. Its media type may have been refused before all of it arrived.
    for chunks, expected in ((4000, [[415, 200]]), (5000, [[], [415], [415, 400]])):
        body = b"1\r\n \r\n" * chunks + b"0\r\n\r\n"
        answers = converse(server.port, CHUNKED + TEXT + b"\r\n" + body + LIVEZ + b"\r\n")
        statuses = [answer.status_code for answer in answers]
        assert statuses in expected, chunks


def test_trailers_count_as_header_fields(server: Server) -> None:
    assert status(server, CHUNKED + TEXT + b"\r\n0\r\n" + b"b:c\r\n" * 90 + b"\r\n" + LIVEZ + b"\r\n") == 200
    answers = converse(server.port, CHUNKED + TEXT + b"\r\n0\r\n" + b"b:c\r\n" * 25_000 + b"\r\n" + LIVEZ + b"\r\n")
    assert 200 not in [answer.status_code for answer in answers]


def test_repeated_headers_are_joined_in_one_step() -> None:
    lines = [(b"a", b"0"), *[(b"b", Unadded(b"%d" % number)) for number in range(1000)]]
    assert combined(lines) == {b"a": b"0", b"b": b", ".join(b"%d" % number for number in range(1000))}


async def test_the_address_is_counted_before_anything_else(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with InProcess.over(sqlite_url) as service:
        order: list[str] = []
        count, exchange = RateLimits.count_address, Exchange

        def counting(self: RateLimits, address: str) -> object:
            order.append("counted")
            return count(self, address)

        def exchanging(*arguments: object) -> object:
            order.append("computed")
            return exchange(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(RateLimits, "count_address", counting)
        monkeypatch.setattr(boundary, "Exchange", exchanging)
        assert (await service.client.get("/livez")).status_code == 200
        assert order == ["counted", "computed"]


def test_no_cache_keeps_long_text_of_a_client() -> None:
    caches = (client_address._canonical, client_address._is_of_this_machine)
    before = [cache.cache_info().currsize for cache in caches]
    for number in range(10):
        long = f"{number}" * 10_000
        assert canonical(long) == canonical("fe80::1%" + long) == UNKNOWN
        headers = {b"host": long.encode(), b"origin": b"http://" + long.encode()}
        assert not is_local("127.0.0.1", headers, ())
        assert not is_local("127.0.0.1", {b"host": long.encode()}, ())
    assert [cache.cache_info().currsize for cache in caches] == before
