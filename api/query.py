"""Query parameters and cursors: one Struct a route, converted by us; the framework checks nothing."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Meta, Struct

from api.problems import INVALID_QUERY, Fault, Problem

#: More parameters than any route has.
_MAX_PARAMETERS = 32


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many items at most")] = 100
    cursor: Annotated[
        str, Meta(max_length=512, description="Where the page begins: from the `Link` of the page before")
    ] = ""


def parse(query_string: bytes, struct: type[Struct]) -> Struct:
    """Read a query string as `struct`. Raises Problem (400) for an unknown, repeated, malformed or wrong parameter."""
    if not query_string:
        return msgspec.convert({}, struct)
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        raise Problem(INVALID_QUERY, "The query is not a list of name=value in UTF-8") from None
    values = dict(pairs)
    for name in values:
        if name not in struct.__struct_fields__:
            raise _wrong(name, f"There is no parameter {name!r} here")
    if len(values) < len(pairs):
        raise Problem(INVALID_QUERY, "A parameter is given twice")
    for name, value in values.items():
        try:
            msgspec.convert({name: value}, struct, strict=False)
        except msgspec.ValidationError as error:
            raise _wrong(name, str(error).partition(" - at `")[0]) from None
    return msgspec.convert(values, struct, strict=False)


class Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a page of items begins: behind the item with the id `after`."""

    after: Annotated[int, Meta(ge=0, le=2**63 - 1)]


def write_cursor(cursor: Cursor) -> str:
    """Give `cursor` as an opaque text of characters that need no escape in a URL."""
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def read_cursor(text: str) -> Cursor:
    """Read what `write_cursor` wrote. Raises Problem (400)."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
    except ValueError:  # what all of binascii, msgspec and str.encode raise
        raise _wrong("cursor", "Not a cursor of this list") from None


def link_next(path: str, query: PageQuery, cursor: Cursor) -> tuple[bytes, bytes]:
    """Make the `Link` header (RFC 8288) to the page that begins at `cursor`, with the same other parameters."""
    parameters = msgspec.to_builtins(query) | {"cursor": write_cursor(cursor)}
    return b"link", f'<{path}?{urlencode(parameters)}>; rel="next"'.encode()


def _wrong(name: str, detail: str) -> Problem:
    return Problem(INVALID_QUERY, detail, errors=(Fault(detail, parameter=name),))
