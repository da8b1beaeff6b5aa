"""Cross-origin requests (the Fetch standard's CORS): which pages elsewhere may call the service from a browser.

None may, unless its origin is listed. No cookie is ever used, so no answer allows credentials: a page that calls has to
hold a key or a token itself, and sends it in `Authorization`.
"""

import re
from collections.abc import Collection, Mapping

from api.http.headers import COMMON_REQUEST_HEADERS, COMMON_RESPONSE_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS
from api.http.responses import Headers

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")
#: Seconds for which a browser may go by a preflight's answer.
_MAX_AGE = 600

_ALLOWED = ", ".join(["Authorization", "Content-Type", *REQUEST_HEADERS, *COMMON_REQUEST_HEADERS]).encode()
_EXPOSED = ", ".join([*RESPONSE_HEADERS, *COMMON_RESPONSE_HEADERS]).encode()


class Origin(str):
    """A page's origin as browsers write it (RFC 6454): `https://app.example`, with a port if it is no usual one."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Origin":
        """Take `text` as it is. Raises ValueError where no browser would write it so."""
        if not _ORIGIN.fullmatch(text):
            raise ValueError("Expected origins like https://app.example, with commas between them")
        return super().__new__(cls, text)


class Cors:
    """What answers say to browsers whose page is of another origin, where the pages of `origins` may call."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = {origin.encode() for origin in origins}

    def headers(self, request: Mapping[bytes, bytes]) -> Headers:
        """Give what any answer to a request with these headers says besides."""
        if not self._origins:
            return ()
        origin = request.get(b"origin", b"")
        vary = (b"vary", b"origin")  # whoever asks: a cache must not give the answer for one origin to another
        if origin not in self._origins:
            return (vary,)
        return (vary, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED))

    def preflight(self, request: Mapping[bytes, bytes], allow: bytes) -> Headers:
        """Give what the answer to OPTIONS says besides, where `allow` are the methods that there are."""
        if b"access-control-request-method" not in request or request.get(b"origin", b"") not in self._origins:
            return ()
        return (
            (b"access-control-allow-methods", allow),
            (b"access-control-allow-headers", _ALLOWED),
            (b"access-control-max-age", b"%d" % _MAX_AGE),
        )
