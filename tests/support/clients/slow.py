"""Clients that hold on to a server: they send half of something, drop by drop, or never read what they asked for.

One loop drives all of them. It reads nothing, and sees when a connection has ended.
"""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic

from msgspec import Struct

_JSON = b"Host: localhost\r\nContent-Type: application/json\r\n"
_POST = b"POST /items HTTP/1.1\r\n" + _JSON
_BATCH = b"POST /items/batch HTTP/1.1\r\n" + _JSON
_LONG = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
_SHORT = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: No part of a request. Where nothing is read, only what is sent finds out that nobody is there any more.
_PROBE = b"\r\n"
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


def _silence() -> Iterator[bytes]:
    yield b""


def _half_headers() -> Iterator[bytes]:
    yield _POST + b"X-Half"


def _dripping_headers() -> Iterator[bytes]:
    yield _POST
    while True:
        yield b"X-Drop: 1\r\n"


def _endless_headers() -> Iterator[bytes]:
    yield _POST
    while True:
        yield b"X-Flood: " + b"x" * 60_000 + b"\r\n"


def _half_body() -> Iterator[bytes]:
    yield _POST + b"Content-Length: 60000\r\n\r\n" + b" " * 30_000


def _half_batch() -> Iterator[bytes]:
    yield _BATCH + b"Content-Length: 1000000\r\n\r\n" + b" " * 600_000


def _dripping_body() -> Iterator[bytes]:
    yield _POST + b"Transfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"1\r\n \r\n"


def _body_after_its_answer() -> Iterator[bytes]:
    """Go on sending a body that was refused at once, for its media type."""
    yield b"POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 60000\r\n\r\n"
    while True:
        yield b" "


def _endless_fields_behind_a_body() -> Iterator[bytes]:
    yield _POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    while True:
        yield b"X-Flood: " + b"x" * 60_000 + b"\r\n"


def _endless_line_of_a_chunk() -> Iterator[bytes]:
    yield _POST + b"Transfer-Encoding: chunked\r\n\r\n1"
    while True:
        yield b";" + b"x" * 60_000


def _requests_ahead() -> Iterator[bytes]:
    """Ask again and again, with no time to answer between."""
    while True:
        yield _SHORT * 2000


def _answers_unread() -> Iterator[bytes]:
    """Ask for more than the network holds, and take none of it."""
    yield _LONG * 30
    while True:
        yield _PROBE


def _answer_unread() -> Iterator[bytes]:
    """Ask for what the server is rid of at once, since the network holds it, and take none of it."""
    yield _LONG
    while True:
        yield _PROBE


KINDS: dict[str, Callable[[], Iterator[bytes]]] = {
    kind.__name__.strip("_").replace("_", " "): kind
    for kind in (
        *(_silence, _half_headers, _dripping_headers, _endless_headers),
        *(_half_body, _half_batch, _dripping_body, _body_after_its_answer),
        *(_endless_fields_behind_a_body, _endless_line_of_a_chunk, _requests_ahead),
        *(_answers_unread, _answer_unread),
    )
}


class Ended(Struct, frozen=True):
    """How long a connection was held open; None: it still was when nobody waited any longer."""

    kind: str
    seconds: float | None


def hold(port: int, kinds: list[str], patience: float, drop_every: float = 1.0) -> list[Ended]:
    """Open a connection for each of `kinds`; return how long each was held, when all ended or after `patience`."""
    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        held: dict[int, tuple[str, socket.socket, Iterator[bytes], bytes, float]] = {}
        for kind in kinds:
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", port))
            connection.setblocking(False)
            poll.register(connection, _ENDED)
            held[connection.fileno()] = (kind, connection, KINDS[kind](), b"", monotonic())
        began, ended = monotonic(), list[Ended]()
        while held and monotonic() - began < patience:
            for number, (kind, connection, drops, rest, since) in held.items():
                data = rest or next(drops, b"")
                try:
                    sent = connection.send(data)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    sent = len(data)  # it has ended, as the poll will say
                held[number] = (kind, connection, drops, data[sent:], since)
            until = monotonic() + drop_every
            while (left := until - monotonic()) > 0:
                for number, _ in poll.poll(left):
                    kind, connection, _, _, since = held.pop(number)
                    ended.append(Ended(kind, monotonic() - since))
                    poll.unregister(connection)
                    connection.close()
        return ended + [Ended(kind, None) for kind, *_ in held.values()]
