"""Entity tags and preconditions (RFC 9110, sections 8.8.3 and 13), and cache lifetimes (RFC 9111).

An item's tag is strong. It holds the version of the table that the item is read from, and the item's, so that it
changes when the item changes, and when a table of another version, which may represent it differently, is swapped in.
"""

import re
from collections.abc import Collection

from api.http.responses import Header, HttpResponse, json_response
from eventstore.log.history_reader import HistoryPage

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_ITEM_TAG = re.compile(r'"([0-9]{1,9})\.([1-9][0-9]{0,18})"')
_HISTORY_FORMAT = 1  # the version of the history's representation, in its tags

#: For content that never changes. A client that has it need not ask again (RFC 8246).
IMMUTABLE = (b"cache-control", b"private, max-age=31536000, immutable")
#: For content that never changes, except for its signatures: the keys may be replaced.
SIGNED = (b"cache-control", b"private, max-age=3600")
#: For content that may change: a client revalidates it with its entity tag.
REVALIDATE = (b"cache-control", b"private, no-cache")


def etag(table_version: int, version: int) -> bytes:
    """Return the tag of an item at `version`, as a table of `table_version` represents it."""
    return b'"%d.%d"' % (table_version, version)


def page_etag(page: HistoryPage) -> bytes:
    """Return the tag of a page of the history. Its first and last position identify its events: the log only grows."""
    first, last = (page.events[0].position, page.events[-1].position) if page.events else (0, 0)
    return b'"%d.%d.%d"' % (_HISTORY_FORMAT, first, last)


def cacheable_response(
    if_none_match: bytes | None, tag: bytes, content: object, *headers: Header, final: bool
) -> HttpResponse:
    """Return `content` as JSON, or 304 if the client has it; `final` content never changes."""
    cached = ((b"etag", tag), IMMUTABLE if final else REVALIDATE)
    if not matches_none(if_none_match, tag):
        return HttpResponse(304, headers=cached)
    return json_response(200, content, *headers, *cached)


def matches_none(if_none_match: bytes | None, tag: bytes) -> bool:
    """Return whether `If-None-Match` is absent or does not name `tag`, by weak comparison (W/ is ignored)."""
    if if_none_match is None:
        return True
    tags = (written.removeprefix("W/") for written in _tags(if_none_match))
    return if_none_match.strip() != b"*" and tag.decode() not in tags


def expected_versions(if_match: bytes | None, table_versions: Collection[int]) -> frozenset[int] | None:
    """Return the item versions that `If-Match` admits, None if any. Strong comparison: a tag with W/ never matches.

    Tags of tables of other versions than `table_versions` match nothing.
    """
    if if_match is None or if_match.strip() == b"*":
        return None
    found = (match for tag in _tags(if_match) if (match := _ITEM_TAG.fullmatch(tag)))
    return frozenset(int(match[2]) for match in found if int(match[1]) in table_versions)


def _tags(header: bytes) -> list[str]:
    return _TAG.findall(header.decode("latin-1"))
