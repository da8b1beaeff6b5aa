"""The `Link` header of pages (RFC 8288)."""

from collections.abc import Mapping
from urllib.parse import urlencode

#: The description of the parameter `cursor`.
CURSOR = "Where the page starts. From the `Link` header of the previous page; treat it as opaque"


def page_links(path: str, parameters: Mapping[str, object], cursor: str, following: object | None) -> bytes:
    """Return a page's `Link` header: its first page, and the next one unless `following` is None.

    `parameters` are the request's. The one named `cursor` selects the page; `following` is its value for the next page.
    """
    first = {name: value for name, value in parameters.items() if name != cursor}
    links = [link(path, first, "first")]
    if following is not None:
        links.append(link(path, {**first, cursor: following}, "next"))
    return ", ".join(links).encode()


def link(path: str, parameters: Mapping[str, object], rel: str) -> str:
    """Return one link of a `Link` header."""
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in parameters.items()}
    return f'<{path}{"?" if texts else ""}{urlencode(texts)}>; rel="{rel}"'
