"""uvicorn's HTTP protocol with what RFC 9110 and RFC 9112 require of a server, and uvicorn and llhttp leave out.

If a client offers to upgrade, they drop the body, or execute it as the next request. uvicorn has no public interface
for all this, so its version is pinned, and a test checks that the names used here and in the subclass exist.
"""

from typing import Any

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.http import request_head
from api.http.request_head import RefusedError
from api.http.security_headers import security_headers

_CLOSE = ((b"connection", b"close"), (b"content-length", b"0"))


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._set_leniencies()

    def data_received(self, data: bytes) -> None:
        """Parse data; refuse what is not HTTP, or what a callback refuses with RefusedError."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except HttpParserUpgrade as offer:
                data = self._head_without_upgrade() + data[offer.args[0] :]
            except HttpParserError as error:
                refused = error.__context__
                if not isinstance(refused, RefusedError):
                    is_method = isinstance(error, HttpParserInvalidMethodError)
                    refused = RefusedError(request_head.status_of_unparsable(data, is_method))
                self.logger.warning("Invalid HTTP request received.")
                self.refuse(refused.status)
                return

    def _head_without_upgrade(self) -> bytes:
        # To llhttp the message has ended with the head. Another parser begins it again, without the offer.
        offering, self.parser = self.parser, HttpRequestParser(self)
        self._set_leniencies()
        version = offering.get_http_version()
        return request_head.without_upgrade(offering.get_method(), self.url, version, self.headers)

    def _set_leniencies(self) -> None:
        # The version is checked here. uvicorn needs the other one, since it ends the connection itself.
        self.parser.set_dangerous_leniencies(lenient_version=True, lenient_data_after_close=True)

    def refuse(self, status: bytes) -> None:
        """Answer with a status line and no body, and end the connection."""
        if self.is_idle():  # else it would be taken for the answer to a request in progress
            self.transport.write(self.refusal(status))
        self.transport.close()

    def refusal(self, status: bytes) -> bytes:
        """Return the head of such an answer."""
        headers = (*self.server_state.default_headers, *_CLOSE, *security_headers(_CLOSE, self.scheme or "http"))
        return b"\r\n".join([status, *(b"%s: %s" % header for header in headers), b"", b""])

    def on_header(self, name: bytes, value: bytes) -> None:
        """Accept a header, without the whitespace around its value."""
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """Check the head, and start the request. Raises RefusedError."""
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise RefusedError(request_head.NOT_IMPLEMENTED)
            return  # `data_received` begins again without the offer
        version, fields = self.parser.get_http_version(), dict(self.headers)
        request_head.check_version(version)
        if b"transfer-encoding" in fields:
            request_head.check_transfer_coding(self.headers, version)
        if not self.url.startswith(b"/") or b"#" in self.url:
            self.url = request_head.origin_form(self.url, self.headers)
        # Also where it expects more: the application refuses that.
        self.expect_100_continue = b"expect" in fields and version != "1.0"
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Complete the body, unless the message is one that begins again."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def is_idle(self) -> bool:
        """Return whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete
