"""uvicorn's HTTP protocol with an end to its patience: no client keeps a connection by sending or reading too slowly.

uvicorn closes a connection that is idle between two requests, and no other: a silent one, half a head, a body that goes
on after its answer, an answer that nobody reads are kept for ever. A head may be of any length, what follows a body in
chunks too, and that would be taken for more of the head; and of requests that are sent ahead there may be any number.
"""

import asyncio
import socket
from collections import Counter
from typing import Any, cast

import uvloop
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.http.security_headers import protection

#: Seconds between two looks at a connection.
_LOOK = 0.5
#: Seconds for TLS to begin.
_HANDSHAKE = 10.0
#: Seconds that the application has, behind the end of a body's time, to answer 408.
_GRACE = 1.0
#: Seconds that a client has to take what was sent to it before the server was told to stop.
_UNTAKEN_AT_STOP = 4.0
#: Bytes that the kernel takes ahead of what it can send: by itself it would take four MiB for whoever reads nothing.
_UNSENT = 128 * 1024
#: Requests of one connection that may await their answers.
_PIPELINED = 32


class _AbusedError(Exception):
    """A client has sent more than anybody needs to, and is heard no more."""


_HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"
_NO_REQUEST = b"HTTP/1.1 400 Bad Request"
_CLOSE = ((b"connection", b"close"), (b"content-length", b"0"))


class Loop(uvloop.Loop):
    """The event loop, with a timeout for TLS handshakes: uvloop would wait a minute for a client to say hello."""

    async def create_server(self, *arguments: Any, **named: Any) -> Any:
        """Listen as asyncio does."""
        if named.get("ssl") is not None:
            named["ssl_handshake_timeout"] = _HANDSHAKE
        return await super().create_server(*arguments, **named)


class ClientTimeouts(Struct, frozen=True):
    """What a client is allowed: times in seconds, each for the whole of what it is for."""

    head: float
    body: float
    #: To take an answer, or some ten KiB of a long one.
    answer: float
    head_bytes: int
    connections: int
    #: Of those, from one address; this machine's own, and the proxies that are trusted, may have all.
    connections_of_one: int


class TimeoutHttpProtocol(HttpToolsProtocol):
    """One connection. The application says in its attribute `patience` what its clients are allowed.

    Its method `peer` tells by what the connections of an address are counted, in its attribute `peers`, None where they
    are not. Its method `stop` is called when the server has been told to stop: the lifespan's message comes when all
    answers have ended, and some have no end of their own.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience = cast("ClientTimeouts", cast("Any", self.app).client_timeouts)
        #: When the client must have sent what the server waits for; None: it waits for nothing.
        self._due: float | None = None
        #: Since when there has been something that the client has not taken.
        self._untaken: float | None = None
        #: Bytes of a head that is not whole yet; None: no head has begun.
        self._head: int | None = None
        #: Bytes since the head that were no body: what frames its chunks, and fields behind the last of them.
        self._aside = 0
        self._unanswered: list[RequestResponseCycle] = []
        #: By what the connections of this one's client are counted, and how many each client has.
        self._peer: str | None = None
        self._peers: Counter[str | None] = cast("Any", self.app).peers
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; refuse to where there are as many connections as may be."""
        super().connection_made(transport)
        self._peer = cast("Any", self.app).peer(self.client)
        self._peers[self._peer] += 1
        most = self._patience.connections_of_one if self._peer is not None else self._patience.connections
        if len(self.connections) > self._patience.connections or self._peers[self._peer] > most:
            transport.abort()
            return
        # What the kernel has taken over is no longer ours to see, and would outlive the connection.
        self._tell_kernel("TCP_USER_TIMEOUT", int(self._patience.answer * 1000))
        self._tell_kernel("TCP_NOTSENT_LOWAT", _UNSENT)
        self._due = self.loop.time() + self._patience.head
        self._look = self.loop.call_later(_LOOK, self._look_at)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        if self._look is not None:
            self._look.cancel()
        # uvicorn tells the newest of pipelined requests alone, and the one that is answered would write to nobody.
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        self._peers[self._peer] -= 1
        if not self._peers[self._peer]:
            del self._peers[self._peer]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it makes a head too long, or is too much beside a body."""
        alone = self._head is not None or self._is_idle()  # nothing but a head is in it, or what follows one
        self._aside += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._head is not None:
            self._head += len(data) if alone else 0
            if self._head > self._patience.head_bytes:
                self._refuse(_HEAD_TOO_LARGE)
        elif self._due is not None and self._aside > self._patience.head_bytes:
            self._refuse(_NO_REQUEST)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; where others await their answers it would be taken for one of those."""
        self._refuse(_NO_REQUEST)

    def _refuse(self, status: bytes) -> None:
        if self._is_idle():
            lines = [b"%s: %s" % header for header in (*_CLOSE, *protection(_CLOSE, self.scheme or "http"))]
            self.transport.write(b"\r\n".join([status, *lines, b"", b""]))
        self.transport.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; none that follows a body (RFC 9110, section 6.5.1)."""
        if self._head is not None:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._aside = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        """Wait for the rest of the head."""
        super().on_message_begin()
        self._head = 0
        self._due = self.loop.time() + self._patience.head

    def on_headers_complete(self) -> None:
        """Wait for the body. Raises _AbusedError, which ends the parsing of what came."""
        if len(self._unanswered) == _PIPELINED:
            raise _AbusedError
        self._head, self._aside = None, 0
        self._due = self.loop.time() + self._patience.body + _GRACE
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def on_message_complete(self) -> None:
        """Wait for nothing: it is for the server to answer."""
        self._due = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is there, or something of this one is still to come."""
        super().on_response_complete()
        del self._unanswered[0]
        if self.pipeline:
            self.flow.pause_reading()  # uvicorn goes on reading: one more answer would let in many more requests
        if self._due is None and self._is_idle():
            self._due = self.loop.time() + self.timeout_keep_alive + _LOOK

    def resume_writing(self) -> None:
        """Note that the client has taken most of what it was sent."""
        super().resume_writing()
        self._untaken = None

    def shutdown(self) -> None:
        """Let answers that have no end find one, and whoever leaves his unread not hold up the stop."""
        cast("Any", self.app).stop()
        super().shutdown()
        self.loop.call_later(_UNTAKEN_AT_STOP, self._let_go)

    def _let_go(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _tell_kernel(self, option: str, value: int) -> None:
        if (number := getattr(socket, option, None)) is not None:  # Linux has both
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, number, value)

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # there is none before the first request
        return cycle is None or cycle.response_complete

    def _look_at(self) -> None:
        now = self.loop.time()
        if self.flow.read_paused and self._due is not None:
            self._due = now + self._patience.head  # it is the server that does not listen
        if not self.transport.get_write_buffer_size():
            self._untaken = None
        elif self._untaken is None:
            self._untaken = now
        if (self._due is not None and now >= self._due) or (
            self._untaken is not None and now - self._untaken >= self._patience.answer
        ):
            self.transport.abort()
        else:
            self._look = self.loop.call_later(_LOOK, self._look_at)
