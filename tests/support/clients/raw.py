"""Requests as nobody sends them who means well: any method, path, header, body and encoding."""

import string
from urllib.parse import unquote

from hypothesis import strategies as st
from msgspec import Struct

from api.app import ROUTES
from api.http.headers import COMMON_REQUEST_HEADERS, REQUEST_HEADERS

#: What is special somewhere: in paths, headers, JSON, SQL, terminals and file systems.
_SPECIAL = [
    *(
        "",
        "/",
        "//",
        "..",
        "%2e%2e",
        "%2f",
        "%5c",
        "%00",
        "%0d%0aX: y",
        "%",
        "%zz",
        "%ff%fe",
        "%c3%28",
        "%ed%a0%80",
        ";",
        "?",
        "#",
    ),
    *(
        "*",
        "{item_id}",
        "0",
        "-1",
        "1",
        "2",
        "01",
        "9223372036854775807",
        "9223372036854775808",
        "9" * 400,
        "1e3",
        "NaN",
        "null",
    ),
    *("' OR 1=1 --", "\x1b[2J", "\u202e", "\u2028", "é", "\U0001f4a9", "a" * 5000),
]
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "X"]
_PARAMETERS = sorted(
    {name for route in ROUTES for name in route.query.__struct_encode_fields__} | {"x", "", "limit[]", "access_token"}
)
_HEADERS = [
    *sorted({*REQUEST_HEADERS, *COMMON_REQUEST_HEADERS}),
    *("Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Expect", "Upgrade", "Host", "Origin"),
    *("Accept", "Accept-Encoding", "Cookie", "Range", "X", "Authorization", "Forwarded", "X-Forwarded-For"),
    *("X-Forwarded-Proto", "X-HTTP-Method-Override", "X-Original-URL"),
]
_VALUES = [
    *(
        "application/json",
        "application/merge-patch+json",
        "text/plain",
        "application/json; charset=utf-16",
        "*",
        '"1.1"',
    ),
    *("chunked", "gzip", "identity", "100-continue", "bytes=0-1", "0", "5", "-1", "1, 1", "127.0.0.1", "https", "GET"),
    *(
        "Bearer",
        "Bearer x",
        "Basic eDp5",
        "Bearer itl_00000000_",
        "itl_00000000_" + "a" * 43,
        "Bearer a.b.c",
        "text/event-stream",
    ),
]
_BODIES = [
    *(b"", b"{}", b"[]", b"null", b"{", b'{"name":"Pen","price":1}', b'[{"name":"Pen","price":1}]', b'{"price":2}'),
    *(b'{"name":"Pen","price":1', b'{"name":"\xff","price":1}', b'{"name":"\\ud800","price":1}', b"\xef\xbb\xbf{}"),
    *(b'{"name":"Pen","price":1e400}', b'{"name":"Pen","price":NaN}', b'{"name":"Pen","price":1,"actor":"root"}'),
    *(b"[" * 5000, b'{"a":' * 2000, b" " * 9_000, b"\0", b'{"name":"a\\u0000","price":1}', "é".encode("utf-16")),
]

_text = st.text(st.characters(codec="utf-8"), max_size=20)
_segment = st.sampled_from(_SPECIAL) | _text | st.text(string.printable, max_size=10)


_LIKELY = st.sampled_from(["1", "2", "items", "start.js", "not-found"])
_ASPECTS = ["method", "parameter", "path", "query", "headers", "body"]
_TAKING_BODIES = [route for route in ROUTES if route.body is not None]


@st.composite
def _body(draw: st.DrawFn, odd: bool) -> bytes:
    body = draw(st.sampled_from(_BODIES))
    if not odd:
        return body
    place = draw(st.integers(0, min(len(body), 40)))
    return body[:place] + draw(st.binary(min_size=1, max_size=3)) + body[place + draw(st.integers(0, 3)) :]


class RawRequest(Struct, frozen=True):
    """A request whose parts are as they are."""

    method: str
    #: With percent-encoding, or without where it ought to have it; never with a question mark.
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def decoded_path(self) -> str:
        """The path as servers hand it on."""
        return unquote(self.path.decode("latin-1"))


@st.composite
def raw_requests(draw: st.DrawFn) -> RawRequest:
    """Return requests that are valid for some route except for one or two aspects, or none."""
    odd = draw(st.sets(st.sampled_from(_ASPECTS), max_size=2))
    route = draw(st.sampled_from(ROUTES) | st.sampled_from(_TAKING_BODIES))
    path = "/".join(
        draw(_segment if "parameter" in odd else _LIKELY) if segment.startswith("{") else segment
        for segment in route.path.split("/")
    )
    values = st.sampled_from(_VALUES) | st.sampled_from(_SPECIAL) | _text
    names = st.sampled_from(_HEADERS) | st.text(string.ascii_letters + "-", min_size=1, max_size=10)
    parameters = st.tuples(st.sampled_from(_PARAMETERS), st.sampled_from(_SPECIAL) | _text)
    query = draw(st.lists(parameters, min_size=1, max_size=2)) if "query" in odd else []
    headers = draw(st.lists(st.tuples(names, values), min_size=1, max_size=3)) if "headers" in odd else []
    if route.body is not None and draw(st.integers(0, 9)):
        headers.append(("Content-Type", route.media_types[0]))
    return RawRequest(
        method=draw(st.sampled_from(_METHODS)) if "method" in odd else route.method,
        path=(path + (draw(_segment) if "path" in odd else "")).replace("?", "").encode(),
        query="&".join(f"{name}={value}" for name, value in query).encode(),
        headers=tuple((name.lower().encode("latin-1"), value.encode()) for name, value in headers),
        body=draw(_body("body" in odd)) if route.body or "body" in odd else b"",
    )
