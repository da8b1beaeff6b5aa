"""uvicorn's request and response cycle, with bodies in pieces, and the head of a usual response joined at once.

uvicorn hands a body to the transport as a whole, whether the client takes it or not, and does not tell the application
when the client has gone. It compares each name and value of a header with a pattern, and each name with three others: a
quarter of the time that it takes for a request.
"""

import socket
import struct
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from api.http.responses import ABORT, PIECE_BYTES, ClientDisconnectedError, Header

_LENGTH = b"\r\ncontent-length: "
#: Headers with which uvicorn ends the connection, or frames the body otherwise than by its length.
_CONNECTION, _CODING = b"\r\nconnection: ", b"\r\ntransfer-encoding: "
#: The bytes that a header may contain: all but control characters.
_PERMITTED = bytes({*range(0x20, 0x100), 0x09} - {0x7F})


class ResponseCycle(RequestResponseCycle):
    """One request and its response."""

    #: The head of a response whose body comes next: they are one write.
    _head: bytes | None = None
    #: Whether the body has neither a length nor chunks.
    _ends_with_connection = False
    #: Whether the connection ends with the response, although the request's body is still arriving.
    closes_later = False
    #: Whether the client did not take the response, and so the connection was ended.
    is_untaken = False

    async def receive(self) -> Any:
        """Receive an ASGI message; the usual one, a body that is there already, without a wait."""
        must_act = self.waiting_for_100_continue or self.flow.read_paused
        if must_act or self.more_body or not self.message_event.is_set() or self.disconnected or self.response_complete:
            return await super().receive()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        """Send an ASGI message; a long body as the client takes it. Raises ClientDisconnectedError."""
        if message is ABORT:
            self._abort()
            return
        if not self._has_sent(message):
            await self._send(message)
            if self.disconnected and not self.response_complete:
                raise ClientDisconnectedError("answer-timeout" if self.is_untaken else "disconnected")

    def _has_sent(self, message: Any) -> bool:
        """Send a message of the usual response, whose body has a length and is short. Return False for any other."""
        if self.disconnected or self.flow.write_paused or not self.keep_alive:
            return False
        if self._head is None:
            return not self.response_started and self._has_begun(message["status"], message["headers"])
        body = message.get("body", b"")
        if len(body) != self.expected_content_length or len(body) > PIECE_BYTES or message.get("more_body", False):
            return False
        self.transport.write(self._head + body)
        self._head = None
        self.response_complete = True
        self.message_event.set()
        self.on_response()
        return True

    def _has_begun(self, status: int, headers: Sequence[Header]) -> bool:
        """Begin the usual response. Return False for any other."""
        fields = join_fields([*self.default_headers, *headers])
        if fields is None:
            return False
        head = b"%b%b\r\n\r\n" % (STATUS_LINE[status], fields)
        length = head.find(_LENGTH)
        if (length == -1 and status not in (204, 304)) or _CONNECTION in head or _CODING in head:
            return False
        self.response_started, self.waiting_for_100_continue, self._head = True, False, head
        if length != -1:
            self.chunked_encoding = False
            start = length + len(_LENGTH)
            is_head = self.scope["method"] == "HEAD"
            self.expected_content_length = 0 if is_head else int(head[start : head.index(b"\r", start)])
        return True

    async def _send(self, message: Any) -> None:
        """Send any message."""
        if self._head is not None:
            head, self._head = self._head, None
            self.transport.write(head)
        body = message.get("body", b"")
        if len(body) > PIECE_BYTES and self.scope["method"] != "HEAD":
            await self._send_in_pieces(memoryview(body), message)
        else:
            await self._send_as_uvicorn(message)

    async def _send_in_pieces(self, body: memoryview, message: Any) -> None:
        for start in range(0, len(body), PIECE_BYTES):
            piece = body[start : start + PIECE_BYTES]
            await self._send_as_uvicorn({**message, "body": piece, "more_body": True})
        if self.flow.write_paused:  # the response is complete once the client has taken it
            await self.flow.drain()
        if not message.get("more_body", False):
            await self._send_as_uvicorn({**message, "body": b""})

    def _abort(self) -> None:
        """Drop the connection and what it has not sent, in this process and in the kernel, which would send on."""
        if self.disconnected:
            return
        self.disconnected = True  # so that uvicorn does not report an incomplete response
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def _send_as_uvicorn(self, message: Any) -> None:
        if self.more_body and not self.keep_alive and self.response_started and not message.get("more_body", False):
            # uvicorn would close the connection, which discards the response where the client still sends.
            self.keep_alive, self.closes_later = True, True
        # HTTP/1.0 has no chunks: the end of the connection is the end of such a body (RFC 9112, section 6.3).
        if self.scope["http_version"] == "1.0":
            if not self.response_started:
                self._ends_with_connection = b"content-length" not in dict(message["headers"])
                self.chunked_encoding = False if self._ends_with_connection else None
            elif self._ends_with_connection:
                self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


def join_fields(headers: Sequence[Header]) -> bytes | None:
    """Return the lines of a head; None if a header contains a control character, and so could forge a line."""
    lines = b"\r\n".join(map(b": ".join, headers))
    return lines if lines.translate(None, _PERMITTED) == b"\r\n" * (len(headers) - 1) else None
