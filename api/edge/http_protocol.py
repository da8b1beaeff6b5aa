"""uvicorn's HTTP protocol with the rules of RFC 9110 and RFC 9112 that uvicorn and llhttp leave out, and size limits.

If a client offers to upgrade, they drop the body, or execute it as the next request. They bound neither a head nor the
trailers of a chunked body, which uvicorn would parse as more of the head, nor the number of pipelined requests. uvicorn
has no public interface for all this, so its version is pinned, and a test checks that the names used here and in the
subclass exist.
"""

from typing import TYPE_CHECKING, Any, cast

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.edge.response_cycle import ResponseCycle
from api.http import request_head
from api.http.request_head import BAD_REQUEST, RefusedError
from api.http.security_headers import security_headers

if TYPE_CHECKING:
    from api.edge.boundary import Boundary

_MAX_PIPELINED_REQUESTS = 32  # requests of one connection that may await their answers
_SMALL_PART_BYTES = 64  # of a body: each part costs as much as a header, whatever its size
_HEAD_BYTES_PER_SMALL_PART = 16  # so that small parts are limited as headers are, to 4,096 by default
_DISCARDED_BYTES = 256 * 1024  # of a request that is refused: an honest client may still send it

_CLOSE = ((b"connection", b"close"), (b"content-length", b"0"))

#: What of a request comes next.
NOTHING, HEAD, BODY = range(3)


class HttpProtocol(HttpToolsProtocol):
    """One connection to the Boundary, whose settings have the limits."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._boundary = cast("Boundary", self.app)
        self.app = cast("Any", self._boundary.serve)  # a connection has no lifespan
        self._settings = self._boundary.settings
        self._set_leniencies()
        self._part = NOTHING
        self._is_new_part = False  # whether that has changed since the subclass last looked
        self._is_refused = False  # whether nothing is parsed any more
        self._unanswered: list[ResponseCycle] = []
        #: Bytes that may still be read of a request that has been answered; None if there is none.
        self._discardable_bytes: int | None = None
        self._read_bytes = 0  # bytes of the read that is being parsed
        self._head_bytes = 0  # bytes of an incomplete head, of earlier reads
        self._framing_bytes = 0  # bytes since the last head or body data: chunk framing and trailers
        self._trailers = 0  # trailer fields of the newest request
        self._small_parts = 0  # parts of its body that are small

    def data_received(self, data: bytes) -> None:
        """Parse data; refuse what is not HTTP, what a callback refuses with RefusedError, and what is too long."""
        self._read_bytes = size = len(data)
        if self._discardable_bytes is not None and not self._count_discarded(self._discardable_bytes - size):
            return
        only_head = self._part == HEAD or not self._unanswered  # or what follows a head
        self._framing_bytes += size
        while True:
            try:
                self.parser.feed_data(data)
                break
            except HttpParserUpgrade as offer:
                data = self._head_without_upgrade() + data[offer.args[0] :]
            except HttpParserError as error:
                self.logger.warning("Invalid HTTP request received.")
                self.refuse(_status_of(error, data))
                return
        if self._part == HEAD:
            self._head_bytes += size if only_head else 0
            if self._head_bytes > self._settings.max_head:
                self.refuse(request_head.TOO_LARGE)
        elif self._framing_bytes > self._settings.max_head and (self._part == BODY or not self._unanswered):
            self.refuse(BAD_REQUEST)

    def _head_without_upgrade(self) -> bytes:
        # To llhttp the message has ended with the head. Another parser begins it again, without the offer.
        offering, self.parser = self.parser, HttpRequestParser(self)
        self._set_leniencies()
        version = offering.get_http_version()
        return request_head.without_upgrade(offering.get_method(), self.url, version, self.headers)

    def _set_leniencies(self) -> None:
        # The version is checked here. uvicorn needs the other one, since it ends the connection itself.
        self.parser.set_dangerous_leniencies(lenient_version=True, lenient_data_after_close=True)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._part, self._is_new_part = HEAD, True
        self._head_bytes = self._trailers = self._small_parts = 0

    def on_url(self, url: bytes) -> None:
        """Accept a part of the target. Raises RefusedError: to decode it costs much for each byte."""
        self.url += url
        if len(self.url) > self._settings.max_target:
            raise RefusedError(request_head.TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Accept a header, without the whitespace around its value; ignore trailers (RFC 9110, section 6.5.1).

        Raises RefusedError beyond the limit.
        """
        headers = self.headers
        if len(headers) + self._trailers >= self._settings.max_header_fields:
            raise RefusedError(request_head.TOO_LARGE)
        if self._part == HEAD:
            headers.append((name.lower(), value.strip(b" \t")))
        else:
            self._trailers += 1

    def on_headers_complete(self) -> None:
        """Check the head, and start the request. Raises RefusedError, also for too many requests ahead."""
        if len(self._unanswered) == _MAX_PIPELINED_REQUESTS:
            raise RefusedError(BAD_REQUEST)
        # A head that arrived in one read is not measured by `data_received`.
        limit = self._settings.max_head
        if self._head_bytes + self._read_bytes > limit and request_head.measured(self.url, self.headers) > limit:
            raise RefusedError(request_head.TOO_LARGE)
        parser = self.parser
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise RefusedError(request_head.NOT_IMPLEMENTED)
            return  # `data_received` begins again without the offer
        version, fields = parser.get_http_version(), dict(self.headers)
        request_head.check_version(version)
        if b"transfer-encoding" in fields:
            request_head.check_transfer_coding(self.headers, version)
        if not self.url.startswith(b"/") or b"#" in self.url:
            self.url = request_head.origin_form(self.url, self.headers)
        # Also where it expects more: the application refuses that.
        self.expect_100_continue = b"expect" in fields and version != "1.0"
        super().on_headers_complete()
        self.cycle.__class__ = ResponseCycle  # uvicorn names its class itself
        self._unanswered.append(cast("ResponseCycle", self.cycle))
        self._part, self._is_new_part, self._framing_bytes = BODY, True, 0

    def on_body(self, body: bytes) -> None:
        """Accept body data. Raises RefusedError for too many small parts."""
        self._framing_bytes = 0
        if len(body) < _SMALL_PART_BYTES:
            self._small_parts += 1
            if self._small_parts > self._settings.max_head // _HEAD_BYTES_PER_SMALL_PART:
                raise RefusedError(BAD_REQUEST)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Complete the body, unless the message is one that begins again."""
        if self._part == BODY:
            if not self.cycle.response_complete:
                self.cycle.more_body = False
                self.cycle.message_event.set()
            self._part, self._is_new_part, self._discardable_bytes = NOTHING, True, None

    def refuse(self, status: bytes) -> None:
        """Answer with a status line and no body, unless the request has been answered, and end the connection."""
        self._is_refused = True
        if self._unanswered:  # an answer would be taken for that to a request in progress
            self.transport.close()
            return
        if self._discardable_bytes is None:
            self.transport.write(self.refusal(status))
            self._discardable_bytes = _DISCARDED_BYTES
        self._end_writing()

    def refusal(self, status: bytes) -> bytes:
        """Return the head of an answer without a body, after which the connection ends."""
        headers = (*self.server_state.default_headers, *_CLOSE, *security_headers(_CLOSE, self.scheme or "http"))
        return b"\r\n".join([status, *(b"%s: %s" % header for header in headers), b"", b""])

    def _discard_rest(self, *, is_last: bool) -> None:
        """Discard the rest of a request that has been answered. If it is not the last one, the next one may follow."""
        self._discardable_bytes = _DISCARDED_BYTES
        if is_last:
            self._is_refused = True
            self._end_writing()

    def _count_discarded(self, left: int) -> bool:
        """Return whether to parse the rest of a request that has been answered."""
        self._discardable_bytes = left
        if left < 0:
            self.flow.pause_reading()
            self._is_refused = True
            self._end_writing()
        return not self._is_refused

    def _end_writing(self) -> None:
        """Let the client read its answer: to close while it sends would discard the answer."""
        if self.transport.can_write_eof():  # not with TLS
            self.transport.write_eof()


def _status_of(error: HttpParserError, data: bytes) -> bytes:
    """Return the status line that refuses `data`."""
    if isinstance(refused := error.__context__, RefusedError):
        return refused.status
    return request_head.status_of_unparsable(data, isinstance(error, HttpParserInvalidMethodError))
