"""What a server must check in the head of a request, and the parser (llhttp) leaves to it: RFC 9110 and RFC 9112."""

import re
from collections.abc import Sequence

from api.http.responses import Header

NOT_IMPLEMENTED = b"HTTP/1.1 501 Not Implemented"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large"
TARGET_TOO_LONG = b"HTTP/1.1 414 URI Too Long"
_VERSION_NOT_SUPPORTED = b"HTTP/1.1 505 HTTP Version Not Supported"

_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ ")
_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE)


class RefusedError(Exception):
    """A head after which nothing of its connection can be trusted: `status` is the answer, and the connection ends."""

    def __init__(self, status: bytes) -> None:
        super().__init__(status)
        self.status = status


def status_of_unparsable(data: bytes, is_method: bool) -> bytes:
    """Return the status line for data at which the parser failed; `is_method` if it failed at the method."""
    return NOT_IMPLEMENTED if is_method and _METHOD.match(data) else BAD_REQUEST


def measured(target: bytes, lines: Sequence[Header]) -> int:
    """Return about how many bytes a head has: its target, and its headers with their separators."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in lines)


def check_version(version: str) -> None:
    """Check that a request is of HTTP/1; a minor version above 1 is served as 1.1 (RFC 9110, section 2.5)."""
    if not version.startswith("1."):
        raise RefusedError(_VERSION_NOT_SUPPORTED)


def check_transfer_coding(lines: Sequence[Header], version: str) -> None:
    """Check that the only transfer coding is `chunked` (RFC 9112, sections 6.1 and 6.3)."""
    values = b",".join(value for name, value in lines if name == b"transfer-encoding")
    *others, last = (coding.strip().lower() for coding in values.split(b","))
    if version == "1.0" or last != b"chunked" or b"chunked" in others:
        raise RefusedError(BAD_REQUEST)  # the end of the body is not certain
    if others:
        raise RefusedError(NOT_IMPLEMENTED)


def origin_form(target: bytes, lines: list[Header]) -> bytes:
    """Return a request target as path and query. The host of an absolute one replaces `Host` (RFC 9112, 3.2.2)."""
    if target == b"*":
        return target
    if (match := _ABSOLUTE.fullmatch(target)) is None:
        raise RefusedError(BAD_REQUEST)
    authority, path, query = match.groups(b"")
    lines[:] = [(name, authority if name == b"host" else value) for name, value in lines]
    return (path or b"/") + query


def without_upgrade(method: bytes, target: bytes, version: str, lines: Sequence[Header]) -> bytes:
    """Return the head without its offer to upgrade, which a server may ignore (RFC 9110, section 7.8)."""
    kept = (b"%b: %b\r\n" % line for line in lines if line[0] != b"upgrade")
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version.encode(), b"".join(kept))
