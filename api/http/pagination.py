"""The `Link` header of pages (RFC 8288)."""

from collections.abc import Mapping
from urllib.parse import urlencode


def page_links(path: str, parameters: Mapping[str, object], cursor: str, following: object | None) -> bytes:
    """Write the links of a page of the list that `parameters` ask for: to its first page, and to the next.

    The parameter `cursor` names the page; the next one has it as `following`, and there is none where that is None.
    """
    first = {name: value for name, value in parameters.items() if name != cursor}
    links = [link(path, first, "first")]
    if following is not None:
        links.append(link(path, {**first, cursor: following}, "next"))
    return ", ".join(links).encode()


def link(path: str, parameters: Mapping[str, object], rel: str) -> str:
    """Write one link of a `Link` header: to `path` with `parameters`, as what it is to this page."""
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in parameters.items()}
    return f'<{path}{"?" if texts else ""}{urlencode(texts)}>; rel="{rel}"'
