"""Files that the service sends as they are: its pages, and what they load."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from api.edge.context import current
from api.edge.routing import Answer
from api.http.etags import matches_none
from api.http.responses import Header, HttpResponse

#: What a file is, by its suffix. No other is sent.
MEDIA_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}
#: Browsers keep files, and ask before each use: after an upgrade no page runs with files of the version before.
_REVALIDATE = (b"cache-control", b"no-cache")

NOT_MODIFIED = Answer(304, "The client's copy is current", None, ("ETag",))


def file_response(path: Path, *headers: Header) -> HttpResponse:
    """Return the response with a file, or 304 if the client has it."""
    content, tag = _read(path)
    headers = ((b"etag", tag), _REVALIDATE, *headers)
    if not matches_none(current.get().headers.get(b"if-none-match"), tag):
        return HttpResponse(304, headers=headers)
    return HttpResponse(200, content, ((b"content-type", MEDIA_TYPES[path.suffix]), *headers), kept=True)


@cache
def _read(path: Path) -> tuple[bytes, bytes]:
    """Read a file when it is first needed, and return its entity tag too: most processes never send one."""
    content = path.read_bytes()
    return content, b'"%s"' % sha256(content).hexdigest()[:32].encode()
