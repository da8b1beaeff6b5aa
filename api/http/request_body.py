"""Reads a request body completely, or rejects it. FasterAPI would run a handler on half a body."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

import msgspec
from FasterAPI import RequestValidationError

from api.http.problems import BODY_TIMEOUT, BODY_TOO_LARGE, MALFORMED_BODY, UNSUPPORTED_MEDIA_TYPE, Problem
from api.http.repeated_names import STRING, check_names
from api.http.responses import ClientDisconnectedError, Header, Message, Receive
from api.http.timeouts import within
from api.settings import Settings

T = TypeVar("T")

_MEDIA_TYPE = re.compile(r'([!-:<-~]+)[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?', re.IGNORECASE)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_DEPTH_CHANGES = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def accept(method: str, media_types: Sequence[str]) -> Header:
    """Return the header with the media types of a method's body: `Accept-Post` or `Accept-Patch`."""
    return (f"accept-{method.lower()}".encode(), ", ".join(media_types).encode())


def check_media_type(headers: Mapping[bytes, bytes], method: str, media_types: Sequence[str]) -> None:
    """Check that a body is of one of `media_types`, without a content coding. Raises Problem (415)."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    if content_type not in media_types and _media_type(content_type) not in media_types:
        detail = f"The body must be {' or '.join(media_types)}"
        raise Problem(UNSUPPORTED_MEDIA_TYPE, detail, headers=(accept(method, media_types),))
    if b"content-encoding" in headers:
        accepted = (accept(method, media_types), (b"accept-encoding", b"identity"))  # RFC 9110, section 12.5.3
        raise Problem(UNSUPPORTED_MEDIA_TYPE, "The body must not have a Content-Encoding", headers=accepted)


def announces_body(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a body follows the head of a request."""
    return headers.get(b"content-length", b"0") not in (b"", b"0") or b"transfer-encoding" in headers


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    settings: Settings,
    takes_body: bool,
    reserve_bytes: Callable[[int], None] | None,
) -> bytes:
    """Return a JSON body. `reserve_bytes`, for large bodies, is called with each chunk's size.

    If the route takes no body, one that is announced is read all the same, since the request is complete only with it.
    Then b"" is returned.
    Raises ClientDisconnectedError, or Problem: 400 (not UTF-8, too deep), 408, 413, 422 (a repeated name).
    """
    max_bytes = settings.max_body if reserve_bytes is None else settings.max_batch_body
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    try:
        body = await within(settings.body_timeout, _read(receive, max_bytes, reserve_bytes))
    except TimeoutError:
        raise Problem(BODY_TIMEOUT, headers=((b"connection", b"close"),)) from None
    if not takes_body:
        return b""
    _check_text(body, settings.max_depth)
    check_names(body)
    return body


def _media_type(content_type: str) -> str | None:
    """Return the media type that a `Content-Type` names; None if it names another charset than UTF-8."""
    match = _MEDIA_TYPE.fullmatch(content_type)
    return None if match is None else match[1].lower()


async def _read(receive: Receive, max_bytes: int, reserve_bytes: Callable[[int], None] | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if reserve_bytes is not None:
            reserve_bytes(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(max_bytes: int) -> Problem:
    return Problem(BODY_TOO_LARGE, f"The request body is larger than {max_bytes} bytes")


def _check_text(body: bytes, max_depth: int) -> None:
    # For both the decoder would raise other errors, which FasterAPI answers with 500.
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Problem(MALFORMED_BODY, f"The body is not UTF-8: {error.reason} at byte {error.start}") from None
    if body.count(b"[") + body.count(b"{") > max_depth and _depth(body) > max_depth:
        raise Problem(MALFORMED_BODY, f"The body is JSON nested deeper than {max_depth} levels")


def _depth(body: bytes) -> int:
    # Strings go first: a bracket in a string is not nesting.
    brackets = STRING.sub(b"", body).translate(None, _NO_BRACKET)
    return max(accumulate(map(_DEPTH_CHANGES.__getitem__, brackets)), default=0)


def decoded(body: bytes, type: type[T]) -> T:
    """Return a JSON body as a type that FasterAPI does not validate: not a struct. Raises RequestValidationError."""
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.DecodeError as error:
        raise RequestValidationError([{"loc": ["body"], "msg": str(error), "type": "value_error"}]) from None


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has disconnected. Call it after the body was read: only that message is left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def complete_message(body: bytes) -> Receive:
    """Return an ASGI `receive` that passes `body` in one message."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
