"""Reads a request's body whole, or refuses it. The framework would run a handler on half a body."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

import msgspec
from FasterAPI import RequestValidationError

from api.http.problems import BODY_TIMEOUT, BODY_TOO_LARGE, MALFORMED_BODY, UNSUPPORTED_MEDIA_TYPE, Problem
from api.http.responses import Message, Receive

T = TypeVar("T")

_MEDIA_TYPE = re.compile(r'([!-:<-~]+)[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?', re.IGNORECASE)
# Possessive, and content with a missing closing quote, so that no body can make the search go back.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+["\\]?', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class ClientDisconnectedError(Exception):
    """The client went away before its request was whole: nothing may run, and nobody waits for an answer."""


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    *,
    wanted: Sequence[str],
    limit: int,
    seconds: float,
    depth: int,
    hold: Callable[[int], None] | None = None,
) -> bytes:
    """Read a JSON body of at most `limit` bytes that arrives within `seconds`, of JSON `depth` levels deep at most.

    `wanted` are the media types that it may have; where there are none no body is wanted, and none is given. `hold`
    is told of each part's size.

    A body that nobody wants is read all the same where one is announced: the request is whole only with it.
    Raises ClientDisconnectedError, or Problem: 400 (not UTF-8, too deep), 408, 413, 415.
    """
    if wanted and not _is_one_of(wanted, headers.get(b"content-type", b"")):
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {' or '.join(wanted)}")
    if not wanted and headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
        return b""
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(seconds):
            body = await _read(receive, limit, hold)
    except TimeoutError:
        raise Problem(BODY_TIMEOUT, headers=((b"connection", b"close"),)) from None
    if not wanted:
        return b""
    _check_text(body, depth)
    return body


def _is_one_of(media_types: Sequence[str], content_type: bytes) -> bool:
    match = _MEDIA_TYPE.fullmatch(content_type.decode("latin-1"))
    return match is not None and match[1].lower() in media_types


async def _read(receive: Receive, limit: int, hold: Callable[[int], None] | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if hold is not None:
            hold(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(limit: int) -> Problem:
    return Problem(BODY_TOO_LARGE, f"The body may have {limit} bytes")


def _check_text(body: bytes, depth: int) -> None:
    # The decoder would raise errors of its own for both, which the framework answers with 500.
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Problem(MALFORMED_BODY, f"The body is not UTF-8: {error.reason} at byte {error.start}") from None
    if body.count(b"[") + body.count(b"{") > depth and _depth(body) > depth:
        raise Problem(MALFORMED_BODY, f"The body is JSON nested deeper than {depth} levels")


def _depth(body: bytes) -> int:
    # A bracket in a string is no structure, so strings go first.
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKET)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def decoded(body: bytes, type: type[T]) -> T:
    """Decode a JSON body that is no struct, which the framework would not check.

    Raises RequestValidationError, as the framework does for a struct.
    """
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.DecodeError as error:
        raise RequestValidationError([{"loc": ["body"], "msg": str(error), "type": "value_error"}]) from None


async def wait_for_disconnect(receive: Receive) -> None:
    """Return once the client is gone. Its request is whole: all that `receive` can still tell is that."""
    while (await receive())["type"] != "http.disconnect":
        pass


def whole(body: bytes) -> Receive:
    """Make an ASGI `receive` that gives `body` as one complete message."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
