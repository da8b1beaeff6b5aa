"""The HTTP protocol with timeouts and size limits for slow or abusive clients.

uvicorn itself closes only connections that are idle between two requests. It keeps silent connections, slow heads and
bodies, and unread answers, for ever. It bounds neither a head nor the trailers of a chunked body, which it would parse
as more of the head, nor the number of pipelined requests.
"""

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

import structlog

from api.edge.http_protocol import HttpProtocol
from api.edge.progress import MAX_TIMEOUTS, Progress
from api.edge.response_cycle import ResponseCycle
from api.http.client_address import UNKNOWN, canonical
from api.http.request_head import BAD_REQUEST, RefusedError
from api.http.responses import PIECE_BYTES

if TYPE_CHECKING:
    from api.edge.boundary import Boundary

log = structlog.get_logger()

_CHECK_SECONDS = 0.5  # between two checks of a connection
_BODY_TIMEOUT_ANSWER_SECONDS = 1.0  # how long after a body's timeout the application may answer 408
_UNREAD_AT_STOP_SECONDS = 4.0  # how long after a stop a client may read what was sent before
_KERNEL_UNSENT_BYTES = 64 * 1024  # by default the kernel would buffer 4 MiB for a client that reads nothing
_DISCARDED_BYTES = 256 * 1024  # of a request that is refused, and for how long: an honest client may still send it
_DISCARD_SECONDS = 2.0
_REFUSED_SECONDS = 1.0  # how long a client has to read why its connection ends
_MAX_PIPELINED_REQUESTS = 32  # requests of one connection that may await their answers
_SMALL_PART_BYTES = 64  # of a body: each part costs as much as a header, whatever its size
_HEAD_BYTES_PER_SMALL_PART = 16  # so that small parts are limited as headers are, to 4,096 by default

_HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"
_TARGET_TOO_LONG = b"HTTP/1.1 414 URI Too Long"


class TimeoutHttpProtocol(HttpProtocol):
    """One connection to the Boundary, whose settings have the timeouts."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._boundary = cast("Boundary", self.app)
        self._settings = self._boundary.settings
        #: When the client must have sent what the server waits for; None if it waits for nothing.
        self._deadline: float | None = None
        self._discardable_bytes: int | None = (
            None  # still to read of a request that has been answered; None if there is none
        )
        self._is_refused = False  # whether nothing is parsed any more
        self._head_bytes: int | None = None  # bytes of an incomplete head, of earlier reads; None if there is none
        self._read_bytes = 0  # bytes of the read that is being parsed
        self._fields = 0  # header and trailer fields of the newest request
        self._small_parts = 0  # parts of its body that are small
        self._framing_bytes = 0  # bytes since the last head or body data: chunk framing and trailers
        self._unanswered: list[ResponseCycle] = []
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
        # Output that the kernel has buffered may outlive the connection.
        self._set_tcp_option("TCP_USER_TIMEOUT", int(self._settings.answer_timeout * MAX_TIMEOUTS * 1000))
        self._set_tcp_option("TCP_NOTSENT_LOWAT", _KERNEL_UNSENT_BYTES)
        # ResponseCycle writes a piece once the transport has none. With TLS the transport has only what the connection
        # below it does not take.
        transport.set_write_buffer_limits(high=1 if self.scheme == "https" else PIECE_BYTES, low=0)
        self._progress = Progress(transport.get_extra_info("socket"), self._settings.answer_timeout)
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
        if self._discardable_bytes is not None and not self._count_discarded(self._discardable_bytes - len(data)):
            return
        only_head = self._head_bytes is not None or self.is_idle()  # or what follows a head
        self._read_bytes = len(data)
        self._framing_bytes += len(data)
        super().data_received(data)
        if self._is_refused or self.transport.is_closing():
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data) if only_head else 0
            if self._head_bytes > self._settings.max_head:
                self.refuse(_HEAD_TOO_LARGE)
        elif self._deadline is not None and self._framing_bytes > self._settings.max_head:
            self.refuse(BAD_REQUEST)

    def refuse(self, status: bytes) -> None:
        """Answer with a status line, unless the request has been answered, and end the connection."""
        if not self.is_idle():  # an answer would be taken for that to a request in progress
            self.transport.close()
            return
        self._is_refused = True
        if self._discardable_bytes is None:
            self.transport.write(self.refusal(status))
            self._discardable_bytes = _DISCARDED_BYTES
        self._end_writing()

    def _count_discarded(self, left: int) -> bool:
        """Return whether to parse the rest of a request that has been answered, since the next one may follow it."""
        self._discardable_bytes = left
        if left < 0:
            self.flow.pause_reading()
            self._is_refused = True
            self._end_writing()
        return not self._is_refused

    def _end_writing(self) -> None:
        """Let the client read its answer: to close while it sends would discard the answer."""
        self._wait_for(_REFUSED_SECONDS)
        if self.transport.can_write_eof():  # not with TLS
            self.transport.write_eof()

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
            super().on_header(name, value)

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
        self._unanswered.append(cast("ResponseCycle", self.cycle))

    def on_message_complete(self) -> None:
        """Stop waiting: the server has to answer now, if it has not."""
        if self.parser.should_upgrade():
            return  # the head comes again
        self._deadline = self._discardable_bytes = None
        super().on_message_complete()
        if self.is_idle():
            self._wait_for(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        """Wait for the next request, unless one has begun, or for the rest of this one's body, which is discarded."""
        # Without uvicorn's, which would start a timer after each answer.
        self.server_state.total_requests += 1
        answered = self._unanswered.pop(0)
        if self.transport.is_closing():
            return
        if self.pipeline:
            super()._start_asgi_task(*self.pipeline.pop())
        if self.pipeline:
            self.flow.pause_reading()  # else each answer would admit many more requests
            return
        self.flow.resume_reading()
        if answered.more_body:
            self._discardable_bytes = _DISCARDED_BYTES
            self._wait_for(_DISCARD_SECONDS)
            if answered.closes_later:
                self._is_refused = True
                self._end_writing()
        elif self._deadline is None and self.is_idle():
            self._wait_for(self.timeout_keep_alive)

    def shutdown(self) -> None:
        """End streams, which would not end by themselves, and drop clients that do not read their answers."""
        # The lifespan's shutdown message would come too late: only after all answers have ended.
        self._boundary.stop()
        super().shutdown()
        self.loop.call_later(_UNREAD_AT_STOP_SECONDS, self._abort_if_unread)

    def _abort_if_unread(self) -> None:
        if self._is_buffered():
            self.transport.abort()

    def _is_buffered(self) -> bool:
        # A TLS connection does not know what the connection below it holds, but it pauses then.
        return self.flow.write_paused or bool(self.transport.get_write_buffer_size())

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
        if self.flow.read_paused and self._deadline is not None and not self._is_refused:
            self._wait_for(self._settings.head_timeout)  # the server itself has paused reading
        between_requests = self._head_bytes is None and self.is_idle()
        late = self._deadline is not None and now >= self._deadline
        buffered = self._is_buffered()
        if buffered or self._progress.is_awaited or (late and between_requests):
            if self._progress.has_stalled(now, buffered=buffered):
                self._cut()
                return
            if self._progress.is_awaited and between_requests and self._discardable_bytes is None:
                self._wait_for(self.timeout_keep_alive)  # from when the client has taken the answer
                late = False
        if late and not between_requests:
            self.transport.abort()
            return
        if late:
            self.transport.close()  # once the client has read what was sent
        self._next_check = self.loop.call_later(_CHECK_SECONDS, self._check)

    def _cut(self) -> None:
        """End a connection whose client does not take its answer, and log it."""
        for cycle in self._unanswered:
            cycle.is_untaken = True  # so that its request is logged as cut
        if not self._unanswered:
            log.warning("answer not taken", address=canonical(self.client[0]) if self.client else UNKNOWN)
        self.transport.abort()
