"""uvicorn's HTTP protocol with an end to its patience: no client keeps a connection by sending or reading too slowly.

uvicorn closes a connection that is idle between two requests, and no other: a silent one, half a head, a body that goes
on after its answer, an answer that nobody reads are kept for ever, and a head may be of any length.
"""

import asyncio
import socket
from typing import Any, cast

import uvloop
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

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
_HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Loop(uvloop.Loop):
    """The event loop, with an end to its patience in TLS: uvloop would wait a minute for a client to say hello."""

    async def create_server(self, *arguments: Any, **named: Any) -> Any:
        """Listen as asyncio does."""
        if named.get("ssl") is not None:
            named["ssl_handshake_timeout"] = _HANDSHAKE
        return await super().create_server(*arguments, **named)


class Patience(Struct, frozen=True):
    """What a client is allowed: times in seconds, each for the whole of what it is for."""

    head: float
    body: float
    #: To take an answer, or some ten KiB of a long one.
    answer: float
    head_bytes: int
    connections: int


class PatientProtocol(HttpToolsProtocol):
    """One connection. The application says in its attribute `patience` what its clients are allowed.

    It has a method `stop`, too, which is called when the server has been told to stop: the lifespan's message to the
    application comes when all answers have ended, and some have no end of their own.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience = cast("Patience", cast("Any", self.app).patience)
        #: When the client must have sent what the server waits for; None: it waits for nothing.
        self._due: float | None = None
        #: Since when there has been something that the client has not taken.
        self._untaken: float | None = None
        #: Bytes of a head that is not whole yet; None: no head has begun.
        self._head: int | None = None
        self._unanswered: list[RequestResponseCycle] = []
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; refuse to where there are as many connections as may be."""
        super().connection_made(transport)
        if len(self.connections) > self._patience.connections:
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
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it makes a head too long."""
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > self._patience.head_bytes and not self.transport.is_closing():
                if self._is_idle():
                    self.transport.write(_HEAD_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """Wait for the rest of the head."""
        super().on_message_begin()
        self._head = 0
        self._due = self.loop.time() + self._patience.head

    def on_headers_complete(self) -> None:
        """Wait for the body."""
        self._head = None
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
