"""Query parameters: one Struct per route, converted here, since FasterAPI does not validate them."""

from functools import cache
from typing import Annotated
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta, Struct

from api.http.problems import INVALID_QUERY, FieldError, Problem, plain

_MAX_PARAMETERS = 32  # more parameters than any route has

MinPosition = Annotated[
    int,
    Meta(
        ge=0,
        le=2**63 - 1,
        description="Answer from a state at least as new as this position: the `Log-Position` of an earlier response",
        examples=[0],
        extra_json_schema={"format": "int64"},
    ),
]


class StateQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How new the state must be that a response reflects."""

    min_position: MinPosition = 0


def parse(query_string: bytes, struct: type[Struct]) -> Struct:
    """Convert a query string to `struct`. Raises Problem (400) for one that is malformed or does not match."""
    if not query_string:
        return _defaults(struct)
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        raise Problem(INVALID_QUERY, "The query string is malformed") from None
    values = dict(pairs)
    for name in values:
        if name not in struct.__struct_encode_fields__:
            raise wrong(name, f"Unknown query parameter {name!r}")
    if len(values) < len(pairs):
        raise Problem(INVALID_QUERY, "A query parameter is repeated")
    return _convert(values, struct)


@cache
def _defaults(struct: type[Struct]) -> Struct:
    return _convert({}, struct)


def _convert(values: dict[str, str], struct: type[Struct]) -> Struct:
    try:
        return msgspec.convert(values, struct, strict=False)
    except msgspec.ValidationError as error:
        detail, _, path = str(error).partition(" - at `$.")
        if path:
            raise wrong(path.rstrip("`"), plain(detail)) from None
        name = detail.split("`")[1]
        raise wrong(name, f"The query parameter {name!r} is required") from None


def wrong(name: str, detail: str) -> Problem:
    """Return the problem of a query parameter that is invalid."""
    return Problem(INVALID_QUERY, detail, errors=(FieldError(detail, parameter=name),))
