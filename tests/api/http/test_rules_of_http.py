"""The rules of HTTP, on the wire: each row of the table in docs/api.md is a test here, and the table has each."""

import asyncio
import re
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from msgspec import Struct

from tests.support.service import Server, migrate, serving

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
PAUSE_SECONDS = 0.05  # between two packets, for the server to read the first alone

HOST = b"Host: localhost\r\n"
LAST = HOST + b"Connection: close\r\n"
JSON = b"Content-Type: application/json\r\n"
ITEM = b'{"name":"whole","price":1}'
#: A request inside a body. If it is executed, an item with its name exists.
HIDDEN = b"POST /items HTTP/1.1\r\n" + HOST + JSON + b'Content-Length: 27\r\n\r\n{"name":"hidden","price":1}'
LIVEZ = b"GET /livez HTTP/1.1\r\n" + LAST + b"\r\n"


def get(target: bytes = b"/livez", version: bytes = b"HTTP/1.1", fields: bytes = LAST, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" " + version + b"\r\n" + fields + b"\r\n"


def post(fields: bytes = b"", body: bytes = ITEM, version: bytes = b"HTTP/1.1", last: bytes = LAST) -> bytes:
    return b"POST /items " + version + b"\r\n" + last + JSON + fields + b"\r\n" + body


def sized(fields: bytes = b"", body: bytes = ITEM, last: bytes = LAST) -> bytes:
    return post(b"Content-Length: %d\r\n" % len(body) + fields, body, last=last)


def chunked(chunks: bytes, fields: bytes = b"Transfer-Encoding: chunked\r\n", version: bytes = b"HTTP/1.1") -> bytes:
    return post(fields, chunks, version)


def chunk(data: bytes = ITEM, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


END = b"0\r\n\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
WEBSOCKET = (
    b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n"
)

Check = Callable[[bytes], bool]


class Case(Struct, frozen=True):
    """What a client sends, in packets, and what it gets."""

    packets: tuple[bytes, ...]
    statuses: tuple[int, ...]
    check: Check = lambda received: True


def case(sent: bytes | tuple[bytes, ...], *statuses: int, check: Check = lambda received: True) -> Case:
    return Case(sent if isinstance(sent, tuple) else (sent,), statuses, check)


def has(*texts: bytes) -> Check:
    return lambda received: all(text in received.lower() for text in texts)


def lacks(*texts: bytes) -> Check:
    return lambda received: not any(text in received.lower() for text in texts)


def no_content(received: bytes) -> bool:
    return received.endswith(b"\r\n\r\n") and received.count(b"\r\n\r\n") == 1


def split(data: bytes, *places: bytes) -> tuple[bytes, ...]:
    """Return data as packets, each of which begins with the next of the texts."""
    packets = []
    for place in places:
        before, _, after = data.partition(place)
        packets.append(before)
        data = place + after
    return (*packets, data)


CLOSES = has(b"connection: close")

#: The rows of the table: what a client sends, what the service does, the section. And what shows it.
ROWS: dict[tuple[str, str, str], list[Case]] = {
    # The request line.
    ("HTTP/1.2 to 1.9", "serves it as HTTP/1.1", "RFC 9110, 2.5"): [
        case(get(version=b"HTTP/1.2"), 200, check=has(b"http/1.1 200")),
        case(get(version=b"HTTP/1.9", fields=HOST) + LIVEZ, 200, 200),
    ],
    ("another version than HTTP/1", "505, closes", "RFC 9110, 15.6.6"): [
        *(
            case(get(version=version) + HIDDEN, 505, check=CLOSES)
            for version in (b"HTTP/2.0", b"HTTP/3.0", b"HTTP/0.9")
        ),
        case(b"GET /livez\r\n\r\n", 505, check=CLOSES),
    ],
    ("the preface of HTTP/2, or a version that is not one", "400, closes", "RFC 9112, 2.3"): [
        case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        *(case(get(version=version), 400) for version in (b"http/1.1", b"HTTP/11.1", b"HTTP/1", b"HTTQ/1.1")),
    ],
    ("a method that is not known, or not in capitals", "501, closes", "RFC 9110, 9.1"): [
        *(case(get(method=method) + HIDDEN, 501, check=CLOSES) for method in (b"FROB", b"get", b"Post", b"GE")),
    ],
    ("a known method that the path does not have", "405 with `Allow`", "RFC 9110, 15.5.6"): [
        case(get(b"/items", method=b"PUT"), 405, check=has(b"allow: get, head, options, post\r\n")),
        case(get(b"/items", method=b"PROPFIND"), 405),
        case(get(b"/items", method=b"TRACE"), 405),
    ],
    ("`CONNECT`", "501, closes", "RFC 9110, 9.3.6"): [
        case(get(b"localhost:80", method=b"CONNECT") + HIDDEN, 501, check=CLOSES),
        case(split(get(b"localhost:80", method=b"CONNECT") + HIDDEN, b"POST"), 501),
    ],
    ("`OPTIONS *`", "204, with every method of the service in `Allow`", "RFC 9110, 9.3.7"): [
        case(get(b"*", method=b"OPTIONS"), 204, check=has(b"allow: delete, get, head, options, patch, post\r\n")),
        case(get(b"*"), 404),
    ],
    ("a whole URL as the target", "its host counts, `Host` is ignored", "RFC 9112, 3.2.2"): [
        case(get(b"http://localhost/livez"), 200),
        case(get(b"HTTP://localhost:8000/items?limit=1", fields=b"Connection: close\r\nHost: other.example\r\n"), 200),
        case(get(b"http://other.example/items"), 401),  # not local, whatever Host says
        case(get(b"http://localhost"), 200),  # the path is `/`
        case(get(b"http://localhost/nothing"), 404),
        case(get(b"http://localhost/livez", fields=b"Connection: close\r\n"), 400),  # without Host
    ],
    ("a URL with a user, a fragment or another scheme than http and https", "400, closes", "RFC 9110, 4.2.4"): [
        *(
            case(get(target) + HIDDEN, 400, check=CLOSES)
            for target in (
                b"http://me@localhost/livez",
                b"http://localhost/livez#x",
                b"ftp://localhost/livez",
                b"http:///x",
            )
        ),
    ],
    (
        "a target that is not a path, or has a fragment, a space or a byte beyond ASCII",
        "400, closes",
        "RFC 9112, 3.2",
    ): [
        *(
            case(get(target) + HIDDEN, 400, check=CLOSES)
            for target in (b"livez", b"localhost:80", b"/livez#x", b"/li vez", b"/liv\xc3\xa9z", b"/livez\x00", b"")
        ),
    ],
    ("empty lines before the request line", "ignores them", "RFC 9112, 2.2"): [case(b"\r\n\r\n" + LIVEZ, 200)],
    ("a line that ends in LF or CR alone, or whitespace before the first field", "400, closes", "RFC 9112, 2.2"): [
        *(
            case(data + HIDDEN, 400, check=CLOSES)
            for data in (
                LIVEZ.replace(b"\r\n", b"\n"),
                get(fields=b"A: b\nHost: localhost\r\n"),
                get(fields=b"A: b\rHost: localhost\r\n"),
                get(fields=b" A: b\r\n" + LAST),
                get(version=b"HTTP/1.1 "),
            )
        ),
    ],
    # Fields.
    ("HTTP/1.1 without `Host`, with several, or with one that is not a host", "400", "RFC 9112, 3.2"): [
        case(get(fields=b"Connection: close\r\n"), 400, check=has(b'"invalid-header"')),
        case(get(fields=LAST + HOST), 400),
        *(
            case(get(fields=b"Connection: close\r\nHost: " + host + b"\r\n"), 400)
            for host in (b"a b", b"a/b", b"me@a", b"a:b", b"[::1", b"a, b", b"a\\b", b"\xc3\xa9", b'"a"')
        ),
    ],
    ("HTTP/1.0 without `Host`", "serves it", "RFC 9112, 3.2"): [case(get(version=b"HTTP/1.0", fields=b""), 200)],
    ("whitespace around a value", "removes it", "RFC 9110, 5.5"): [
        case(get(fields=LAST + b"X-Request-Id: \t mine \t \r\n"), 200, check=has(b"x-request-id: mine\r\n")),
        case(post(b"Content-Length:\t%d \t\r\n" % len(ITEM)), 201),
        case(get(b"/items", fields=LAST + b"Authorization:  Bearer x \r\n"), 401, check=has(b"invalid_token")),
        case(chunked(chunk() + END, b"Transfer-Encoding: chunked \r\n"), 201),
    ],
    ("whitespace before the colon", "400, closes", "RFC 9112, 5.1"): [
        case(get(fields=LAST + b"A : b\r\n") + HIDDEN, 400, check=CLOSES),
        case(chunked(END + HIDDEN, b"Transfer-Encoding : chunked\r\n"), 400),
    ],
    ("a value on several lines", "400, closes", "RFC 9112, 5.2"): [
        case(get(fields=LAST + b"A: b\r\n c\r\n") + HIDDEN, 400, check=CLOSES),
        case(chunked(END + HIDDEN, b"Transfer-Encoding:\r\n chunked\r\n"), 400),
    ],
    ("NUL or another control character in a value", "400, closes", "RFC 9110, 5.5"): [
        *(
            case(get(fields=LAST + b"A: b%bc\r\n" % c) + HIDDEN, 400, check=CLOSES)
            for c in (b"\0", b"\x01", b"\x1b", b"\x7f")
        ),
    ],
    ("a name that is empty or not a token, or a line without a colon", "400, closes", "RFC 9110, 5.1"): [
        *(
            case(get(fields=LAST + line + b"\r\n") + HIDDEN, 400, check=CLOSES)
            for line in (b": b", b"A\0: b", b"A(: b", b"A")
        ),
    ],
    ("a field that it does not know", "ignores it", "RFC 9110, 5.1"): [
        case(get(fields=LAST + b"X-Unknown: 1\r\nTE: trailers\r\nMax-Forwards: 0\r\nRange: bytes=0-1\r\n"), 200)
    ],
    ("a list on several lines", "reads it as one list", "RFC 9110, 5.3"): [
        case(get(b"/items/1", fields=LAST + b'If-None-Match: "x"\r\nIf-None-Match: "2.1"\r\n'), 304)
    ],
    # The body.
    ("`Content-Length` twice, or not digits alone, or beyond 64 bits", "400, closes", "RFC 9112, 6.3"): [
        *(
            case(post(b"Content-Length: " + value + b"\r\n", END + HIDDEN), 400, check=CLOSES)
            for value in (
                b"5\r\nContent-Length: 5",
                b"5\r\nContent-Length: 60",
                b"5, 5",
                b"+5",
                b"-5",
                b"0x5",
                b"",
                b"5 5",
                b"9" * 30,
            )
        ),
    ],
    ("`Content-Length` and `Transfer-Encoding`", "400, closes", "RFC 9112, 6.1"): [
        case(post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", END + HIDDEN), 400, check=CLOSES),
        case(post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", END + HIDDEN), 400, check=CLOSES),
    ],
    ("chunks, with extensions or trailers", "reads the body, ignores the rest", "RFC 9112, 7.1"): [
        case(chunked(chunk(ITEM[:9]) + chunk(ITEM[9:]) + END), 201),
        case(chunked(chunk(extension=b';name="value"') + END), 201),
        case(chunked(chunk() + b"0\r\nX-Request-Id: forged\r\n\r\n"), 201, check=lacks(b"forged")),
    ],
    (
        "a chunk with a size that is not hexadecimal digits or beyond 64 bits, or not as long as its size",
        "executes nothing, closes",
        "RFC 9112, 7.1",
    ): [
        *(
            case(chunked(size + b"\r\n" + ITEM + b"\r\n" + END + HIDDEN))
            for size in (b"+1a", b"0x1a", b"1a ", b"-1", b"1" * 17, b"19", b"", b"1a\n")
        ),
    ],
    ("another transfer coding before `chunked`", "501, closes", "RFC 9112, 6.1"): [
        case(chunked(END + HIDDEN, b"Transfer-Encoding: gzip, chunked\r\n"), 501, check=CLOSES),
        case(chunked(END + HIDDEN, b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501, check=CLOSES),
    ],
    ("a transfer coding that is not `chunked` at its end, or is it twice", "400, closes", "RFC 9112, 6.3"): [
        *(
            case(chunked(END + HIDDEN, b"Transfer-Encoding: " + coding + b"\r\n"), 400, check=CLOSES)
            for coding in (
                *(b"gzip", b"identity", b"xchunked", b"chunked, identity", b"chunked, chunked", b"", b"chunked;q=1"),
                b"chunked\r\nTransfer-Encoding: chunked",
            )
        ),
    ],
    ("`Transfer-Encoding` with HTTP/1.0", "400, closes", "RFC 9112, 6.1"): [
        case(chunked(chunk() + END + HIDDEN, version=b"HTTP/1.0"), 400, check=CLOSES)
    ],
    ("`Content-Encoding`", "415 with `Accept-Encoding: identity`", "RFC 9110, 12.5.3 and 15.5.16"): [
        case(sized(b"Content-Encoding: gzip\r\n"), 415, check=has(b"accept-encoding: identity\r\n")),
        case(sized(b"Content-Encoding: br, gzip\r\n"), 415, check=has(b"accept-encoding: identity\r\n")),
    ],
    ("another `Content-Type` than JSON", "415 with `Accept-Post` or `Accept-Patch`", "RFC 5789, 3.1"): [
        case(
            sized().replace(b"application/json", b"text/plain"),
            415,
            check=lambda received: (
                has(b"accept-post: application/json\r\n")(received) and lacks(b"accept-encoding")(received)
            ),
        ),
        case(
            sized().replace(b"application/json", b"text/plain").replace(b"POST /items", b"PATCH /items/1"),
            415,
            check=has(b"accept-patch: application/merge-patch+json, application/json\r\n"),
        ),
    ],
    ("an offer to upgrade (`h2c`, `websocket`)", "ignores it; the body is the body", "RFC 9110, 7.8"): [
        case(sized(UPGRADE, last=HOST) + LIVEZ, 201, 200),
        case(split(sized(UPGRADE, last=HOST) + LIVEZ, ITEM), 201, 200),
        case(split(sized(UPGRADE, last=HOST) + LIVEZ, b"\n" + ITEM, ITEM[5:], b"GET"), 201, 200),
        case(split(sized(UPGRADE, HIDDEN, HOST) + LIVEZ, HIDDEN), 422, 200),
        case(split(sized(WEBSOCKET, HIDDEN, HOST) + LIVEZ, HIDDEN), 422, 200),
        case(
            split(post(UPGRADE + b"Transfer-Encoding: chunked\r\n", chunk() + END, last=HOST) + LIVEZ, b"1a"), 201, 200
        ),
        case(post(UPGRADE + b"Transfer-Encoding: gzip, chunked\r\n", END + HIDDEN, last=HOST), 501),
        case(sized(UPGRADE, last=HOST) * 3 + get(fields=HOST + WEBSOCKET) + LIVEZ, 201, 201, 201, 200, 200),
        case(get(fields=LAST + WEBSOCKET, version=b"HTTP/1.0"), 200),
    ],
    ("a body where none is expected", "reads it and ignores it", "RFC 9110, 9.3.1"): [
        case(get(fields=HOST + b"Content-Length: %d\r\n" % len(HIDDEN)) + HIDDEN + LIVEZ, 200, 200),
        case(get(fields=HOST + b"Transfer-Encoding: chunked\r\n") + chunk(HIDDEN) + END + LIVEZ, 200, 200),
    ],
    ("`Expect: 100-continue`", "100 before it reads the body, a refusal without it", "RFC 9110, 10.1.1"): [
        case(split(sized(b"Expect: 100-continue\r\n"), ITEM), 100, 201),
        case(sized(b"Expect: 100-Continue\r\nContent-Encoding: gzip\r\n"), 415),
        case(post(b"Expect: 100-continue\r\nContent-Length: 70000\r\n", b""), 413),
        case(sized(b"Expect: 100-continue\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"), 201),  # ignored in HTTP/1.0
    ],
    ("another `Expect`", "417", "RFC 9110, 10.1.1"): [
        case(sized(b"Expect: 200-ok\r\n"), 417, check=has(b'"expectation-failed"')),
        case(sized(b"Expect: 100-continue, 200-ok\r\n"), 417),
        case(sized(b"Expect: 100-continue\r\nExpect: 200-ok\r\n"), 417),
    ],
    # The answer.
    ("any request", "the answer has `Date`", "RFC 9110, 6.6.1"): [
        case(LIVEZ, 200, check=has(b"\r\ndate: ")),
        case(get(b"/nothing"), 404, check=has(b"\r\ndate: ")),
        case(b"nonsense\r\n\r\n", 400, check=has(b"\r\ndate: ")),
    ],
    ("`HEAD`", "the fields of `GET`, no content", "RFC 9110, 9.3.2"): [
        case(
            get(b"/items/1", method=b"HEAD"),
            200,
            check=lambda received: no_content(received) and has(b"content-length: 59", b"etag")(received),
        ),
        case(get(b"/events/export", method=b"HEAD"), 200, check=no_content),
        case(get(b"/nothing", method=b"HEAD"), 404, check=no_content),
    ],
    ("a request that gets 204 or 304", "no content, and no `Content-Length`", "RFC 9110, 8.6"): [
        case(
            get(b"/items", method=b"OPTIONS"),
            204,
            check=lambda received: no_content(received) and lacks(b"content-length", b"transfer-encoding")(received),
        ),
        case(
            get(b"/items/1", fields=LAST + b'If-None-Match: "2.1"\r\n'),
            304,
            check=lambda received: no_content(received) and lacks(b"content-length", b"transfer-encoding")(received),
        ),
    ],
    ("HTTP/1.1, for an answer without a length", "chunks", "RFC 9112, 7.1"): [
        case(
            get(b"/events/export"),
            200,
            check=lambda received: (
                has(b"transfer-encoding: chunked\r\n")(received) and received.endswith(b"\r\n" + END)
            ),
        ),
    ],
    ("HTTP/1.0, for an answer without a length", "no chunks: it ends with the connection", "RFC 9112, 6.3"): [
        case(
            get(b"/events/export", b"HTTP/1.0", HOST),
            200,
            check=lambda received: (
                lacks(b"transfer-encoding", b"content-length")(received)
                and received.partition(b"\r\n\r\n")[2].startswith(b'{"position":1,')
                and received.endswith(b"}\n")
            ),
        ),
    ],
    ("HTTP/1.0, also with `Connection: keep-alive`", "closes after the answer", "RFC 9112, 9.3"): [
        case(get(version=b"HTTP/1.0", fields=HOST + b"Connection: keep-alive\r\n") + HIDDEN, 200, check=CLOSES),
    ],
    ("`Connection: close`", "says so too; what follows is not executed", "RFC 9112, 9.6"): [
        case(LIVEZ + HIDDEN, 200, check=CLOSES),
        case(split(LIVEZ + HIDDEN, b"POST"), 200, check=CLOSES),
    ],
    ("requests without waiting for the answers", "answers in their order, up to 32", "RFC 9112, 9.3.2"): [
        case(sized(last=HOST) + get(b"/nothing", fields=HOST) + LIVEZ, 201, 404, 200)
    ],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, httpx.Client]]:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('rules')}/itemledger.db"
    asyncio.run(migrate(url))
    with serving(url) as running, httpx.Client(base_url=running.url) as client:
        item = {"name": "Fountain pen", "price": 24.5}
        assert client.post("/items", json=item).headers["location"] == "/items/1"
        yield running, client


def send(port: int, packets: tuple[bytes, ...]) -> bytes:
    """Send packets one by one; return all that comes back until the server closes the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for packet in packets:
                connection.sendall(packet)
                if packet is not packets[-1] and select.select([connection], [], [], PAUSE_SECONDS)[0]:
                    received += connection.recv(65536)
            return received + b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:  # the server has closed it, with bytes of ours unread
            return received


CASES = [(row, index) for row, cases in ROWS.items() for index in range(len(cases))]


@pytest.mark.parametrize(("row", "index"), CASES, ids=[f"{row[0]}: {row[1]} ({index})" for row, index in CASES])
def test_each_row_is_so_on_the_wire(served: tuple[Server, httpx.Client], row: tuple[str, str, str], index: int) -> None:
    (server, client), asked = served, ROWS[row][index]
    before = client.get("/readyz").json()["log_position"]
    received = send(server.port, asked.packets)
    statuses = tuple(int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received))
    assert statuses == asked.statuses, received
    assert asked.check(received), received
    assert client.get("/readyz").json()["log_position"] == before + statuses.count(201)


def test_the_page_has_each_row() -> None:
    _, _, section = PAGE.partition("\n## HTTP\n")
    table = re.findall(r"(?m)^\| ([^|\n]+) \| ([^|\n]+) \| ([^|\n]+) \|$", section.partition("\n## ")[0])
    assert table == [*ROWS]
