"""The HTTP protocol with timeouts and size limits for slow or abusive clients.

uvicorn itself closes only connections that are idle between two requests. It keeps silent connections, slow heads and
bodies, and unread answers, for ever. It bounds neither a head nor the trailers of a chunked body, which it would parse
as more of the head, nor the number of pipelined requests.
"""

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

import uvloop
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.edge.http_protocol import HttpProtocol
from api.edge.response_cycle import ResponseCycle
from api.http.request_head import BAD_REQUEST, RefusedError

if TYPE_CHECKING:
    from api.edge.boundary import Boundary

_CHECK_SECONDS = 0.5  # between two checks of a connection
_TLS_HANDSHAKE_SECONDS = 10.0
_BODY_TIMEOUT_ANSWER_SECONDS = 1.0  # how long after a body's timeout the application may answer 408
_UNREAD_AT_STOP_SECONDS = 4.0  # how long after a stop a client may read what was sent before
_KERNEL_UNSENT_BYTES = 128 * 1024  # by default the kernel would buffer 4 MiB for a client that reads nothing
_MAX_PIPELINED_REQUESTS = 32  # requests of one connection that may await their answers
_SMALL_PART_BYTES = 64  # of a body: each part costs as much as a header, whatever its size
_HEAD_BYTES_PER_SMALL_PART = 16  # so that small parts are limited as headers are, to 4,096 by default

_HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"
_TARGET_TOO_LONG = b"HTTP/1.1 414 URI Too Long"


class Loop(uvloop.Loop):
    """The event loop, with a shorter timeout for TLS handshakes: uvloop's is a minute."""

    async def create_server(self, *arguments: Any, **named: Any) -> Any:
        """Listen as asyncio does."""
        if named.get("ssl") is not None:
            named["ssl_handshake_timeout"] = _TLS_HANDSHAKE_SECONDS
        return await super().create_server(*arguments, **named)


class TimeoutHttpProtocol(HttpProtocol):
    """One connection to the Boundary, whose settings have the timeouts."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._boundary = cast("Boundary", self.app)
        self._settings = self._boundary.settings
        #: When the client must have sent what the server waits for; None if it waits for nothing.
        self._deadline: float | None = None
        self._unread_since: float | None = None  # since when there has been output that the client has not read
        self._head_bytes: int | None = None  # bytes of an incomplete head, of earlier reads; None if there is none
        self._read_bytes = 0  # bytes of the read that is being parsed
        self._fields = 0  # header and trailer fields of the newest request
        self._small_parts = 0  # parts of its body that are small
        self._framing_bytes = 0  # bytes since the last head or body data: chunk framing and trailers
        self._unanswered: list[RequestResponseCycle] = []
        self._client: str | None = None  # the client that this connection counts for
        self._next_check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout for the first request; abort a connection beyond the limits."""
        super().connection_made(transport)
        self._client = self._boundary.client_of_connection(self.client)
        counts, limits = self._boundary.client_connections, self._settings
        counts[self._client] += 1
        too_many = self._client is not None and counts[self._client] > limits.max_client_connections
        if too_many or len(self.connections) > limits.max_connections:
            transport.abort()
            return
        # Output that the kernel has buffered is invisible here, and would outlive the connection.
        self._set_tcp_option("TCP_USER_TIMEOUT", int(self._settings.answer_timeout * 1000))
        self._set_tcp_option("TCP_NOTSENT_LOWAT", _KERNEL_UNSENT_BYTES)
        self._wait_for(self._settings.head_timeout)
        self._next_check = self.loop.call_later(_CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timeouts and the requests in progress."""
        if self._next_check is not None:
            self._next_check.cancel()
        # uvicorn informs only the newest pipelined request; the one in progress would keep writing.
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        counts = self._boundary.client_connections
        counts[self._client] -= 1
        if not counts[self._client]:
            del counts[self._client]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data; refuse a head that is too long, and too many bytes around a body."""
        only_head = self._head_bytes is not None or self.is_idle()  # or what follows a head
        self._read_bytes = len(data)
        self._framing_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data) if only_head else 0
            if self._head_bytes > self._settings.max_head:
                self.refuse(_HEAD_TOO_LARGE)
        elif self._deadline is not None and self._framing_bytes > self._settings.max_head:
            self.refuse(BAD_REQUEST)

    def on_url(self, url: bytes) -> None:
        """Accept a part of the target. Raises RefusedError: to decode it costs much for each byte."""
        super().on_url(url)
        if len(self.url) > self._settings.max_target:
            raise RefusedError(_TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Accept a header; ignore trailers (RFC 9110, section 6.5.1). Raises RefusedError beyond the limit."""
        self._fields += 1
        if self._fields > self._settings.max_header_fields:
            raise RefusedError(_HEAD_TOO_LARGE)
        if self._head_bytes is not None:
            self.headers.append((name.lower(), value.strip(b" 	")))

    def on_body(self, body: bytes) -> None:
        """Accept body data. Raises RefusedError for too many small parts."""
        self._framing_bytes = 0
        if len(body) < _SMALL_PART_BYTES:
            self._small_parts += 1
            if self._small_parts > self._settings.max_head // _HEAD_BYTES_PER_SMALL_PART:
                raise RefusedError(BAD_REQUEST)
        super().on_body(body)

    def on_message_begin(self) -> None:
        """Wait for the rest of the head."""
        super().on_message_begin()
        self._head_bytes = self._fields = self._small_parts = 0
        self._wait_for(self._settings.head_timeout)

    def on_headers_complete(self) -> None:
        """Wait for the body. Raises RefusedError, also for too many requests ahead."""
        if len(self._unanswered) == _MAX_PIPELINED_REQUESTS:
            raise RefusedError(BAD_REQUEST)
        # A head that arrived in one read is not measured by `data_received`.
        if (self._head_bytes or 0) + self._read_bytes > self._settings.max_head and self._measured_head() > (
            self._settings.max_head
        ):
            raise RefusedError(_HEAD_TOO_LARGE)
        super().on_headers_complete()
        if self.parser.should_upgrade():
            return  # the head comes again
        self._head_bytes, self._framing_bytes = None, 0
        self._wait_for(self._settings.body_timeout + _BODY_TIMEOUT_ANSWER_SECONDS)
        self.cycle.__class__ = ResponseCycle  # uvicorn names its class itself
        self._unanswered.append(self.cycle)

    def on_message_complete(self) -> None:
        """Stop waiting: the server has to answer now."""
        if not self.parser.should_upgrade():
            self._deadline = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless one has begun or this one's body is still arriving."""
        # Without uvicorn's, which would start a timer after each answer.
        self.server_state.total_requests += 1
        del self._unanswered[0]
        if self.transport.is_closing():
            return
        if self.pipeline:
            super()._start_asgi_task(*self.pipeline.pop())
        if self.pipeline:
            self.flow.pause_reading()  # else each answer would admit many more requests
            return
        self.flow.resume_reading()
        if self._deadline is None and self.is_idle():
            self._wait_for(self.timeout_keep_alive)

    def resume_writing(self) -> None:
        """Restart the timeout for reading: the client has read most of the output."""
        super().resume_writing()
        self._unread_since = None

    def shutdown(self) -> None:
        """End streams, which would not end by themselves, and drop clients that do not read their answers."""
        # The lifespan's shutdown message would come too late: only after all answers have ended.
        self._boundary.stop()
        super().shutdown()
        self.loop.call_later(_UNREAD_AT_STOP_SECONDS, self._abort_if_unread)

    def _abort_if_unread(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _measured_head(self) -> int:
        """Return about how many bytes the head has: its target, and its headers with their separators."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _set_tcp_option(self, option: str, value: int) -> None:
        if (number := getattr(socket, option, None)) is not None:  # Linux has both
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, number, value)

    def _wait_for(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds

    def _check(self) -> None:
        now = self.loop.time()
        if self.flow.read_paused and self._deadline is not None:
            self._wait_for(self._settings.head_timeout)  # the server itself has paused reading
        if not self.transport.get_write_buffer_size():
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        late = self._deadline is not None and now >= self._deadline
        unread = self._unread_since is not None and now - self._unread_since >= self._settings.answer_timeout
        between_requests = self._head_bytes is None and self.is_idle()
        if unread or (late and not between_requests):
            self.transport.abort()
            return
        if late:
            self.transport.close()  # once the client has read what was sent
        self._next_check = self.loop.call_later(_CHECK_SECONDS, self._check)
