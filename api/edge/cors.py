"""Cross-origin requests (CORS, in the Fetch standard): which pages may call the service from a browser.

None but those of the listed origins. The service uses no cookies, so no response allows credentials: a page has to hold
a key or a token itself, and send it in `Authorization`.
"""

import re
from collections.abc import Collection, Mapping

from api.http.headers import COMMON_REQUEST_HEADERS, COMMON_RESPONSE_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS
from api.http.responses import Headers

_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")
_MAX_AGE_SECONDS = 600  # how long a browser may cache a preflight response

_ALLOWED = ", ".join(["Authorization", "Content-Type", *REQUEST_HEADERS, *COMMON_REQUEST_HEADERS]).encode()
_EXPOSED = ", ".join([*RESPONSE_HEADERS, *COMMON_RESPONSE_HEADERS]).encode()


class Origin(str):
    """A page's origin as browsers send it (RFC 6454): `https://app.example`, with the port unless it is the default."""

    def __new__(cls, text: str) -> "Origin":
        """Check and keep `text`. Raises ValueError."""
        if not _ORIGIN.fullmatch(text):
            raise ValueError("Expected origins like https://app.example, separated by commas")
        return super().__new__(cls, text)


class Cors:
    """The CORS headers, where pages of `origins` may call."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = {origin.encode() for origin in origins}

    def headers(self, request: Mapping[bytes, bytes]) -> Headers:
        """Return the headers to add to any response, by the headers of its request."""
        if not self._origins:
            return ()
        origin = request.get(b"origin", b"")
        vary = (b"vary", b"origin")  # always: a cache must not give one origin's response to another
        if origin not in self._origins:
            return (vary,)
        return (vary, (b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED))

    def preflight(self, request: Mapping[bytes, bytes], allow: bytes) -> Headers:
        """Return the headers to add to the response to OPTIONS; `allow` lists the methods of the path."""
        if b"access-control-request-method" not in request or request.get(b"origin", b"") not in self._origins:
            return ()
        return (
            (b"access-control-allow-methods", allow),
            (b"access-control-allow-headers", _ALLOWED),
            (b"access-control-max-age", b"%d" % _MAX_AGE_SECONDS),
        )
