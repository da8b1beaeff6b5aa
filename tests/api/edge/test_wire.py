"""The service over a socket: incomplete, too long and slow bodies, pipelines, ambiguous framing."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from sqlalchemy import select

from eventstore.database.engine import open_database
from eventstore.log.tables import events
from tests.support.clients.http import check_problem, converse, talk
from tests.support.service import Server, migrate, serving

CUT = b'{"name":"cut","price":1}'
TYPE = b"Host: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = b"POST /items HTTP/1.1\r\n" + TYPE + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE = b"Connection: close\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + b"\r\n"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def post(body: bytes, length: int | None = None, extra: bytes = b"") -> bytes:
    length = len(body) if length is None else length
    return b"POST /items HTTP/1.1\r\n" + TYPE + extra + b"Content-Length: %d\r\n\r\n" % length + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.fixture(scope="module")
def server(shared_url: str) -> Iterator[Server]:
    asyncio.run(migrate(shared_url))
    with serving(shared_url, environment={"ITEMLEDGER_BODY_TIMEOUT": "2"}) as running:
        yield running


@pytest.mark.parametrize(
    "data",
    [
        post(b"", 100),
        post(CUT, 100),
        post(CUT[:-1], len(CUT)),
        post(CUT, len(CUT) + 1),
        CHUNKED,
        CHUNKED + chunk(CUT),
        CHUNKED + chunk(CUT[:9]) + chunk(CUT[9:]),
        CHUNKED + b"%x\r\n" % (len(CUT) + 5) + CUT,
        CHUNKED + chunk(CUT) + b"0\r\n",
    ],
)
def test_an_incomplete_body_runs_nothing(server: Server, data: bytes) -> None:
    with httpx.Client(base_url=server.url) as client:
        before = client.get("/readyz").json()["log_position"]
        assert talk(server.port, data) == b""
        # Positions follow the order of arrival: had it run, this would be the second after `before`.
        after = client.post("/items", json={"name": "whole", "price": 1})
        assert int(after.headers["log-position"]) == before + 1
        assert "cut" not in {item["name"] for item in client.get("/items?limit=1000").json()}


def test_requests_in_a_pipeline_share_nothing(server: Server, shared_url: str) -> None:
    named = b"X-Request-Id: first\r\ntraceparent: 00-%s-b7ad6b7169203331-01\r\n" % TRACE.encode()
    body = b'{"name":"piped","price":1}'
    first, second, third, alive = converse(
        server.port, post(body, extra=named) + post(body, extra=b"X-Request-Id: second\r\n") + post(body) + LIVEZ
    )
    assert [first.status_code, second.status_code, third.status_code, alive.status_code] == [201, 201, 201, 200]
    ids = [answer.headers["x-request-id"] for answer in (first, second, third, alive)]
    assert ids[:2] == ["first", "second"]
    assert len(set(ids)) == 4
    assert alive.headers["log-position"] == third.headers["log-position"]

    async def correlations() -> list[str]:
        database = open_database(shared_url)
        positions = [int(answer.headers["log-position"]) for answer in (first, second, third)]
        of = select(events.c.correlation_id).where(events.c.position.in_(positions)).order_by(events.c.position)
        rows = await database.read(of)
        await database.dispose()
        return [row.correlation_id for row in rows]

    assert asyncio.run(correlations()) == [TRACE, "second", ids[2]]


def test_too_many_pipelined_requests_end_the_connection(server: Server) -> None:
    ahead = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert [answer.status_code for answer in converse(server.port, ahead * 31 + LIVEZ)] == [200] * 32
    with suppress(ConnectionError):  # it is closed while more is sent
        assert talk(server.port, ahead * 2000) == b""  # requests in progress are not answered
    assert httpx.get(f"{server.url}/livez").status_code == 200


def test_trailers_are_not_headers(server: Server) -> None:
    forged = b"X-Request-Id: forged\r\nContent-Type: text/plain\r\nIdempotency-Key: x\r\n\r\n"
    created, alive = converse(server.port, CHUNKED + chunk(b'{"name":"whole","price":1}') + b"0\r\n" + forged + LIVEZ)
    assert (created.status_code, alive.status_code) == (201, 200)
    assert created.headers["x-request-id"] != "forged"


@pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", b"GET /livez HTTP/1.1\r\nHost localhost\r\n\r\n"])
def test_data_that_is_not_http_is_refused_with_the_security_headers(server: Server, data: bytes) -> None:
    (refused,) = converse(server.port, data)
    assert (refused.status_code, refused.content) == (400, b"")
    protected = {"x-content-type-options", "referrer-policy", "content-security-policy", "cache-control"}
    assert protected <= set(refused.headers)


def test_the_rest_of_a_body_that_is_too_long_is_not_a_request(server: Server) -> None:
    smuggled = b"POST /items HTTP/1.1\r\n" + TYPE + b"Content-Length: %d\r\n\r\n" % len(CUT) + CUT
    long = b" " * 70_000 + smuggled
    for data in (post(long), CHUNKED + chunk(b" " * 40_000) + chunk(long) + b"0\r\n\r\n"):
        refused, alive = converse(server.port, data + LIVEZ)
        check_problem(refused, 413, "body-too-large")
        assert alive.json() == {"status": "alive"}
    names = {item["name"] for item in httpx.get(f"{server.url}/items?limit=1000").json()}
    assert "cut" not in names


def test_a_body_that_does_not_arrive_times_out(server: Server) -> None:
    (refused,) = converse(server.port, post(CUT, len(CUT) + 1))
    check_problem(refused, 408, "body-timeout")
    assert refused.headers["connection"] == "close"


def test_unusual_paths_are_answered(server: Server) -> None:
    for target in (b"*", b"//items", b"/items/%2f", b"/items/%00", b"/items/%ff", b"/items/%0d%0ax:y", b"/items/*"):
        request = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + b"\r\n"
        (answer,) = converse(server.port, request)
        assert answer.status_code == 404, target
        assert answer.headers["content-type"] == "application/problem+json"
    (answer,) = converse(server.port, b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n" + CLOSE + b"\r\n")
    assert answer.status_code in (204, 404)


def test_an_upgrade_to_a_websocket_is_ignored(server: Server) -> None:
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    (answer,) = converse(server.port, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + upgrade + key + b"\r\n")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 60\r\n",
        b"Content-Length: 5, 60\r\n",
        b"Content-Length: +5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
    ],
)
def test_a_request_with_ambiguous_framing_hides_no_other(server: Server, framing: bytes) -> None:
    """If a proxy and the server find different ends of a body, part of it is a request to one of them."""
    hidden = b"POST /items HTTP/1.1\r\n" + TYPE + b"Content-Length: %d\r\n\r\n" % len(CUT) + CUT
    body = b"0\r\n\r\n" + hidden
    statuses = [
        answer.status_code
        for answer in converse(server.port, b"POST /items HTTP/1.1\r\n" + TYPE + framing + CLOSE + b"\r\n" + body)
    ]
    assert statuses in ([], [400], [422], [408]), statuses
    assert "cut" not in {item["name"] for item in httpx.get(f"{server.url}/items?limit=1000").json()}
