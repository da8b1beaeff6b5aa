"""The HTTP protocol with timeouts for slow or abusive clients.

uvicorn itself closes only connections that are idle between two requests. It keeps silent connections, slow heads and
bodies, and unread answers, for ever.
"""

import asyncio
import socket
from typing import Any

import structlog

from api.edge.http_protocol import BODY, HEAD, NOTHING, HttpProtocol
from api.edge.progress import MAX_TIMEOUTS, Progress
from api.http.client_address import UNKNOWN, canonical
from api.http.responses import PIECE_BYTES

log = structlog.get_logger()

_CHECK_SECONDS = 0.5  # between two checks of a connection
_BODY_TIMEOUT_ANSWER_SECONDS = 1.0  # how long after a body's timeout the application may answer 408
_UNREAD_AT_STOP_SECONDS = 4.0  # how long after a stop a client may read what was sent before
_KERNEL_UNSENT_BYTES = 64 * 1024  # by default the kernel would buffer 4 MiB for a client that reads nothing
_DISCARD_SECONDS = 2.0  # how long the rest of a request may take that is refused
_REFUSED_SECONDS = 1.0  # how long a client has to read why its connection ends


class TimeoutHttpProtocol(HttpProtocol):
    """One connection to the Boundary, whose settings have the timeouts."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        #: When the client must have sent what the server waits for; None if it waits for nothing.
        self._deadline: float | None = None
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
        """Parse data, and start the timeout of what must follow."""
        super().data_received(data)
        if not self._is_new_part or self._is_refused:
            return
        self._is_new_part = False
        if self._part == HEAD:
            self._wait_for(self._settings.head_timeout)
        elif self._part == BODY:
            self._wait_for(self._settings.body_timeout + _BODY_TIMEOUT_ANSWER_SECONDS)
        elif self._unanswered:
            self._deadline = None  # the server has to answer now
        else:
            self._wait_for(self.timeout_keep_alive)

    def _end_writing(self) -> None:
        self._wait_for(_REFUSED_SECONDS)
        super()._end_writing()

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
        if self.flow.read_paused:
            self.flow.resume_reading()
        if answered.more_body:
            self._wait_for(_DISCARD_SECONDS)
            self._discard_rest(is_last=answered.closes_later)
        elif self._part == NOTHING and not self._unanswered:
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

    def _set_tcp_option(self, option: str, value: int) -> None:
        if (number := getattr(socket, option, None)) is not None:  # Linux has both
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, number, value)

    def _wait_for(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds

    def _check(self) -> None:
        now = self.loop.time()
        if self.flow.read_paused and self._deadline is not None and not self._is_refused:
            self._wait_for(self._settings.head_timeout)  # the server itself has paused reading
        between_requests = self._part != HEAD and not self._unanswered
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
