"""Responses: anything with `to_asgi`; and the usual one, complete, with its length."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

Message = MutableMapping[str, Any]
AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]
Headers = tuple[Header, ...]

#: A longer body is written in pieces of this size, as the client takes them. A record of TLS has as much.
PIECE_BYTES = 16 * 1024
_BUFFERED_BYTES = 2 * PIECE_BYTES  # of a body in pieces: what a connection with TLS holds

JSON = (b"content-type", b"application/json")

#: A message of our own to our server (`response_cycle.py`): drop the connection, and what it has not sent yet.
ABORT: Message = {"type": "itemledger.abort"}

_encoder = msgspec.json.Encoder()


class ClientDisconnectedError(Exception):
    """The client disconnected: before its request was complete, so that no handler may run, or before its response was.

    Its argument, if any, says why.
    """


class AsgiResponse(Protocol):
    """What a handler returns; FasterAPI calls its `to_asgi`."""

    async def to_asgi(self, send: Send) -> None:
        """Send the response as ASGI messages. Raising before the first message sends nothing."""
        ...


class HttpResponse(Struct, frozen=True):
    """Status, body, headers. Content-Length is added, except where a body is forbidden."""

    status: int
    body: bytes = b""
    headers: Headers = ()
    kept: bool = False  # whether the process keeps the body anyway, so that unsent copies of it need no memory

    async def to_asgi(self, send: Send) -> None:
        """Send it as two ASGI messages; the first says how much memory it holds until the client has taken it."""
        headers = list(self.headers)
        if self.status not in (204, 304):
            headers.append((b"content-length", b"%d" % len(self.body)))
        start = {"type": "http.response.start", "status": self.status, "headers": headers}
        if len(self.body) > PIECE_BYTES:
            start["unsent_bytes"] = _BUFFERED_BYTES if self.kept else len(self.body) + _BUFFERED_BYTES
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


def part(text: bytes) -> Message:
    """Return the ASGI message of a part of a body that is not the last one."""
    return {"type": "http.response.body", "body": text, "more_body": True}


def json_response(status: int, content: object, *headers: Header) -> HttpResponse:
    """Return a response with `content` as JSON."""
    return HttpResponse(status, _encoder.encode(content), (JSON, *headers))
