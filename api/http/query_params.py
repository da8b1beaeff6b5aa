"""Query parameters: one Struct a route, converted by us; the framework checks nothing."""

from typing import Annotated
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct

from api.http.problems import INVALID_QUERY, FieldError, Problem, plain

#: More parameters than any route has.
_MAX_PARAMETERS = 32

MinPosition = Annotated[
    int,
    Meta(
        ge=0,
        le=2**63 - 1,
        description="Answer from a state at least as new as this: the `Log-Position` of an answer before",
        examples=[0],
        extra_json_schema={"format": "int64"},
    ),
]


class StateQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which state an answer is to be of."""

    min_position: MinPosition = 0


def parse(query_string: bytes, struct: type[Struct]) -> Struct:
    """Read a query string as `struct`.

    Raises Problem (400) for a parameter that is unknown, repeated, malformed, wrong or missing.
    """
    pairs = _pairs(query_string) if query_string else []
    values = dict(pairs)
    for name in values:
        if name not in struct.__struct_encode_fields__:
            raise wrong(name, f"There is no parameter {name!r} here")
    if len(values) < len(pairs):
        raise Problem(INVALID_QUERY, "A parameter is given twice")
    try:
        return msgspec.convert(values, struct, strict=False)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `$.")
        if path:
            raise wrong(path.rstrip("`"), plain(detail)) from None
        name = detail.split("`")[1]
        raise wrong(name, f"The parameter {name!r} is missing") from None


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        raise Problem(INVALID_QUERY, "The query is not a list of name=value in UTF-8") from None


def wrong(name: str, detail: str) -> Problem:
    """Make the problem of a parameter that can't have the value it has."""
    return Problem(INVALID_QUERY, detail, errors=(FieldError(detail, parameter=name),))
