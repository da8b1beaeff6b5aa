"""Refuses JSON objects in which a name occurs twice: parsers differ in which value they keep (RFC 8259, section 4).

msgspec keeps the last one and has no option to refuse. Another spelling of a name, with escapes, is the same name.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from api.http.problems import INVALID_BODY, FieldError, Problem

# Possessive, and content with a missing closing quote, so that no body can make the search backtrack.
STRING = re.compile(rb'"(?:[^"\\]|\\.)*+["\\]?', re.DOTALL)

_object = msgspec.json.Decoder(dict[str, Raw])
_objects = msgspec.json.Decoder(list[dict[str, Raw]])


def check_names(body: bytes) -> None:
    """Raise Problem (422) for the first repeated name. A body that is not JSON is left to the decoder."""
    colons = body.count(b":")
    if colons < 2:
        return
    try:
        is_list = body.lstrip().startswith(b"[")
        members = sum(map(len, _objects.decode(body))) if is_list else len(_object.decode(body))
    except msgspec.ValidationError:
        members = 0  # of another form, with objects in objects perhaps
    except msgspec.DecodeError:
        return
    # Each member has one colon. So as many as members can only mean that no name was dropped.
    if colons != members and STRING.sub(b"", body).count(b":") != members:
        _point_at_repeated(body)


class _Repeated(str):
    """In place of an object: the name that it has twice."""


def _point_at_repeated(body: bytes) -> None:
    try:
        # Numbers as text: Python refuses to read long ones.
        value = json.loads(body, object_pairs_hook=_unless_repeated, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        return
    for pointer in _repeated(value, ""):
        detail = "The name occurs twice in its object. Send each name once"
        raise Problem(INVALID_BODY, errors=(FieldError(detail, pointer=pointer),))


def _unless_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Repeated:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            return _Repeated(name)
        members[name] = value
    return members


def _repeated(value: object, pointer: str) -> Iterator[str]:
    """Return the JSON Pointer (RFC 6901) of each repeated name in a value."""
    if isinstance(value, _Repeated):
        yield f"{pointer}/{_escaped(value)}"
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _repeated(member, f"{pointer}/{_escaped(name)}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _repeated(member, f"{pointer}/{index}")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
