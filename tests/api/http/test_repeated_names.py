"""A name occurs once in each object of each body, however it is spelled."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import ROUTES
from api.http.problems import Problem
from api.http.repeated_names import check_names
from tests.api.edge.test_methods import example
from tests.support.clients.http import JSON, check_problem, unchanged_log
from tests.support.service import InProcess

#: An object as its members, which may repeat names.
Members = list[tuple[str, Any]]

_names = st.sampled_from(["a", "b", "a:b", '"', "\\", "~", "é", "\U0001f58a", ""])
_leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from([":", '":"', "\\", "[{"])
_values = st.recursive(
    _leaves,
    lambda values: (
        st.lists(values, max_size=3) | st.lists(st.tuples(_names, values), max_size=4).map(lambda ms: {"": ms})
    ),
    max_leaves=12,
)


def written(draw: Any, value: Any) -> str:
    """Return a value as JSON text, each name in one of its spellings, with blanks here and there."""
    blank = draw(st.sampled_from(["", "", " ", "\n\t"]))
    if isinstance(value, list):
        return f"[{blank}{','.join(written(draw, item) for item in value)}]"
    if isinstance(value, dict):
        members = (f"{spelled(draw, name)}{blank}:{written(draw, item)}" for name, item in value[""])
        return f"{{{','.join(members)}{blank}}}"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def spelled(draw: Any, name: str) -> str:
    units = name.encode("utf-16-be")
    escaped = "".join(f"\\u{units[place]:02x}{units[place + 1]:02X}" for place in range(0, len(units), 2))
    return draw(st.sampled_from([f'"{escaped}"', json.dumps(name), json.dumps(name, ensure_ascii=False)]))  # type: ignore[no-any-return]


def repeated(value: Any, pointer: str = "") -> Iterator[str]:
    """Return a pointer to each name that an object has more than once."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from repeated(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        names = [name for name, _ in value[""]]
        for name, item in value[""]:
            step = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            if names.count(name) > 1:
                yield step
            yield from repeated(item, step)


@given(st.data())
def test_exactly_the_bodies_with_a_repeated_name_are_refused(data: st.DataObject) -> None:
    value = data.draw(_values)
    body = written(data.draw, value).encode()
    expected = set(repeated(value))
    if not expected:
        check_names(body)
        return
    with pytest.raises(Problem) as refused:
        check_names(body)
    assert refused.value.kind.status == 422
    assert refused.value.errors[0].pointer in expected


@pytest.mark.parametrize(
    "body", [b"", b"{", b":::", b'{"a":1,"a":1', b"\xff:\xff:", b'{"a":01,"b":2}', b'{"a":NaN,"b":1}']
)
def test_a_body_that_is_not_json_is_left_to_the_decoder(body: bytes) -> None:
    check_names(body)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body is not None], ids=lambda route: route.path)
async def test_every_route_refuses_a_repeated_name(small: InProcess, route: Any) -> None:
    whole = json.dumps(route.example).encode()
    start = whole.index(b'"')
    name = whole[start : whole.index(b'"', start + 1) + 1]
    body = whole.replace(name + b":", name + b": null, " + name + b":", 1)
    assert len(json.loads(body)) == len(json.loads(whole))
    async with unchanged_log(small.services.database):
        path = example(route.path)
        headers = {**JSON, "content-type": route.media_types[0]}
        answer = await small.client.request(route.method, path, content=body, headers=headers)
    (fault,) = check_problem(answer, 422, "invalid-body")["errors"]
    assert fault["pointer"].removeprefix("/0") == f"/{json.loads(name)}"
