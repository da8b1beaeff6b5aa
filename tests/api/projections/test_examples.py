"""The examples of the routes of `/projections` in the API description."""

from typing import Any

import msgspec
import pytest

from api.projections.routes import ROUTES

EXAMPLES = [
    pytest.param(answer.type, answer.example, id=f"{route.method} {route.path}")
    for route in ROUTES
    for answer in route.answers
]


def test_every_answer_has_an_example() -> None:
    assert len(EXAMPLES) == len(ROUTES)
    assert all(param.values[1] for param in EXAMPLES)


@pytest.mark.parametrize(("kind", "example"), EXAMPLES)
def test_an_example_is_exactly_what_its_schema_describes(kind: Any, example: Any) -> None:
    decoded = msgspec.convert(example, kind)
    assert msgspec.to_builtins(decoded) == example
