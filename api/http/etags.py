"""Entity tags and preconditions (RFC 9110, sections 8.8.3 and 13), and what may be kept for how long (RFC 9111).

An item's tag is strong: it names the projection's version and the item's, so that it changes when the item does and
when a new projection would show it otherwise.
"""

import re

from api.http.responses import Header, HttpResponse, json_response
from eventstore.log.history_reader import HistoryPage
from projections.items.items import ITEMS

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_OURS = re.compile(rf'"{ITEMS.version}\.([1-9][0-9]{{0,18}})"')


#: The form in which the history is shown: another makes other tags.
_HISTORY = 1

#: Of what never changes, and is for whoever asked alone. Who has it needn't ask again (RFC 8246).
IMMUTABLE = (b"cache-control", b"private, max-age=31536000, immutable")
#: Of what never changes but for its signatures, which are made by the keys of the time.
SIGNED = (b"cache-control", b"private, max-age=3600")
#: Of what may have changed by the next time: it is asked for again, with its entity tag.
REVALIDATE = (b"cache-control", b"private, no-cache")


def etag(version: int) -> bytes:
    """Write the tag of an item at `version`."""
    return f'"{ITEMS.version}.{version}"'.encode()


def page_etag(page: HistoryPage) -> bytes:
    """Write the tag of a page of the history: of the events that a question can have for answer, its ends tell all."""
    first, last = (page.events[0].position, page.events[-1].position) if page.events else (0, 0)
    return b'"%d.%d.%d"' % (_HISTORY, first, last)


def cacheable_response(
    if_none_match: bytes | None, tag: bytes, content: object, *headers: Header, final: bool
) -> HttpResponse:
    """Make a reply of `content` as JSON, or 304 where the client has it; `final` is what never changes."""
    cached = ((b"etag", tag), IMMUTABLE if final else REVALIDATE)
    if not matches_none(if_none_match, tag):
        return HttpResponse(304, headers=cached)
    return json_response(200, content, *headers, *cached)


def matches_none(if_none_match: bytes | None, tag: bytes) -> bool:
    """Tell whether `If-None-Match` lets the answer be sent: it is absent, and else does not name `tag`."""
    if if_none_match is None:
        return True
    if if_none_match.strip() == b"*":
        return False
    # Weak comparison: what stands behind W/ counts.
    return tag.decode() not in (written.removeprefix("W/") for written in _tags(if_none_match))


def expected_versions(if_match: bytes | None) -> frozenset[int] | None:
    """Give the item versions that `If-Match` admits, None where it admits any. Strong comparison: no W/ counts."""
    if if_match is None or if_match.strip() == b"*":
        return None
    return frozenset(int(ours[1]) for tag in _tags(if_match) if (ours := _OURS.fullmatch(tag)))


def _tags(header: bytes) -> list[str]:
    return _TAG.findall(header.decode("latin-1"))
