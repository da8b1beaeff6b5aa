"""Whatever bytes come over a socket, the server goes on, gives nobody anything, and breaks at nothing."""

import asyncio
import json
import os
import re
import select
import socket
import sys

import httpx
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from api.app import ROUTES
from api.auth.scopes import Unscoped
from tests.support.clients.keys import bearer, key_for
from tests.support.clients.raw import RawRequest, raw_requests
from tests.support.service import migrate, serving

SEED = int(os.environ.get("ITEMLEDGER_TEST_API_SEED", "1"))
EXAMPLES = int(os.environ.get("ITEMLEDGER_TEST_API_EXAMPLES", "40")) * 4
#: Seconds to wait for an answer before the client says that no more will come.
WAIT = 0.1
_FAULT = re.compile(rb"(?m)^HTTP/1\.1 5(?!01|05)")  # these two answer methods and versions that are not supported
#: What is there for everybody.
OPEN = {None, *(route.path for route in ROUTES if route.scope is Unscoped.OPEN)}
_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b" \r\n", b"\r\n\t", b"\0\r\n"])


@st.composite
def _on_the_wire(draw: st.DrawFn) -> bytes:
    """Return a request as bytes, framed rightly or wrongly, a byte changed perhaps, and perhaps another behind it."""
    request: RawRequest = draw(raw_requests())
    target = request.path + (b"?" + request.query if request.query else b"")
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b""]))
    length = draw(st.sampled_from([len(request.body), 0, 1, 10**30, -1]) | st.integers(0, 100))
    framing = {
        "length": b"Content-Length: %d" % length,
        "two lengths": b"Content-Length: %d\r\nContent-Length: %d" % (len(request.body), length),
        "chunked": b"Transfer-Encoding: chunked",
        "both": b"Content-Length: %d\r\nTransfer-Encoding: chunked" % length,
        "none": b"X-None: 1",
    }[draw(st.sampled_from(["length", "length", "two lengths", "chunked", "both", "none"]))]
    chunk = b"%x\r\n" % draw(st.sampled_from([len(request.body), 2**64, 1]))
    body = chunk + request.body + b"\r\n0\r\n\r\n" if b"chunked" in framing else request.body
    lines = [request.method.encode() + b" " + target + b" " + version, b"Host: localhost", framing]
    lines += [name + b": " + value for name, value in request.headers]
    data = b"".join(line + draw(_ENDS) for line in lines) + b"\r\n" + body
    if draw(st.booleans()):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=4)) + data[place + draw(st.integers(0, 2)) :]
    return data + draw(st.sampled_from([b"", b"", b"GET /items HTTP/1.1\r\nHost: localhost\r\n\r\n", data]))


def test_whatever_bytes_come_the_server_goes_on_and_gives_nothing_away(sqlite_url: str) -> None:
    sys.stdout.write(f"seed {SEED}\n")
    asyncio.run(migrate(sqlite_url))
    key = key_for(sqlite_url)
    with serving(sqlite_url, environment={"ITEMLEDGER_RATE_LIMIT": "off"}) as server:

        @seed(SEED)
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(_on_the_wire())
        def hold(data: bytes) -> None:
            assert not _FAULT.search(exchange(server.port, data))

        hold()
        with httpx.Client(base_url=server.url, headers=bearer(key)) as client:
            assert client.get("/readyz").json()["log_position"] == 0
            assert client.post("/items", json={"name": "Pen", "price": 1}).json()["id"] == 1
        server.terminate()
        lines = [json.loads(line) for line in server.output().splitlines()]
    assert {line["level"] for line in lines} <= {"info", "warning"}
    answered = [
        line for line in lines if line["event"] == "request" and line["actor"] != "tester" and line["status"] < 400
    ]
    assert {line["route"] for line in answered} <= OPEN
    assert len(lines) > EXAMPLES // 2, "too little got through to tell much"


def exchange(port: int, data: bytes) -> bytes:
    """Send bytes, and give all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        try:
            connection.sendall(data)
            select.select([connection], [], [], WAIT)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            return b""  # it was refused before it was all sent
