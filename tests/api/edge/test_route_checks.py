"""The route checks: each rule has a handler that breaks it, and the service's routes break none."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from FasterAPI import Depends, Request
from msgspec import Struct

from api import app
from api.app import ROUTES, create_app
from api.auth.scopes import Scope
from api.edge.route_checks import check_routes
from api.edge.routing import Answer, Route
from api.http.responses import HttpResponse
from api.settings import Settings
from api.startup import StartError

Handler = Callable[..., Any]


class Body(Struct):
    name: str


async def user(request: Request) -> str:
    return "ann"


async def generated() -> AsyncIterator[str]:
    yield "a session"


def blocking() -> str:
    return "blocked"


class Callables:
    async def method(self) -> HttpResponse:
        return HttpResponse(204)

    async def __call__(self) -> HttpResponse:
        return HttpResponse(204)


async def good(item_id: str, who: Annotated[str, Depends(user)], request: Request, body: Body) -> HttpResponse:
    return HttpResponse(204)


async def without_parameters() -> HttpResponse:
    return HttpResponse(204)


async def with_id(item_id: str) -> HttpResponse:
    return HttpResponse(204)


async def with_other_id(id: str) -> HttpResponse:
    return HttpResponse(204)


async def body_by_default(body: Body = Body("default")) -> HttpResponse:  # noqa: B008
    return HttpResponse(204)


async def path_by_default(item_id: str = "1") -> HttpResponse:
    return HttpResponse(204)


async def dependency_by_default(who: Annotated[str, Depends(user)] = "anonymous") -> HttpResponse:
    return HttpResponse(204)


async def optional_body(body: Body | None) -> HttpResponse:
    return HttpResponse(204)


async def two_bodies(body: Body, other: Body) -> HttpResponse:
    return HttpResponse(204)


async def list_body(body: list[Body]) -> HttpResponse:
    return HttpResponse(204)


async def number_in_path(item_id: int) -> HttpResponse:
    return HttpResponse(204)


async def query_parameter(limit: str) -> HttpResponse:
    return HttpResponse(204)


async def unannotated(body) -> HttpResponse:  # type: ignore[no-untyped-def]  # the error under test
    return HttpResponse(204)


async def unresolvable(who: Annotated[str, Depends(user)], other: "Missing") -> HttpResponse:  # type: ignore[name-defined]  # noqa: F821
    return HttpResponse(204)


async def empty_depends(who: Annotated[str, Depends()]) -> HttpResponse:
    return HttpResponse(204)


async def generator_dependency(session: Annotated[str, Depends(generated)]) -> HttpResponse:
    return HttpResponse(204)


async def blocking_dependency(who: Annotated[str, Depends(blocking)]) -> HttpResponse:
    return HttpResponse(204)


async def nested(who: Annotated[str, Depends(dependency_by_default)]) -> HttpResponse:
    return HttpResponse(204)


async def variadic(*args: str) -> HttpResponse:
    return HttpResponse(204)


async def keyword_only(*, body: Body) -> HttpResponse:
    return HttpResponse(204)


async def positional_only(body: Body, /) -> HttpResponse:
    return HttpResponse(204)


BROKEN: dict[str, list[tuple[str, str, Handler]]] = {
    "has a default": [("POST", "/x", body_by_default)],
    "'item_id' has a default": [("GET", "/x/{item_id}", path_by_default)],
    "'who' has a default": [("GET", "/x", dependency_by_default)],
    "'who': 'who' has a default": [("GET", "/x", nested)],
    "'body' must be": [("POST", "/x", optional_body)],
    "more than one body": [("POST", "/x", two_bodies)],
    "'body' must be a path": [("POST", "/x", list_body)],
    "'item_id' must be": [("GET", "/x/{item_id}", number_in_path)],
    "'limit' must be": [("GET", "/x", query_parameter)],
    "'body' must be a path parameter of type str, a Struct": [("POST", "/x", unannotated)],
    "can't be resolved": [("GET", "/x", unresolvable)],
    "injects None": [("GET", "/x", empty_depends)],
    "'session': not a plain `async def`": [("GET", "/x", generator_dependency)],
    "'who': not a plain `async def`": [("GET", "/x", blocking_dependency)],
    "not a plain `async def`": [("GET", "/x", blocking)],
    "not a plain `async def`: it would": [("GET", "/x", Callables())],
    "'args' is not an ordinary parameter": [("GET", "/x", variadic)],
    "'body' is not an ordinary parameter": [("POST", "/x", keyword_only)],
    "'body' is not an ordinary": [("POST", "/x", positional_only)],
    "does not take 'item_id'": [("GET", "/x/{item_id}", without_parameters)],
    "registered twice": [("GET", "/x", without_parameters), ("GET", "/x", without_parameters)],
    "one position has two names": [("GET", "/x/{item_id}", with_id), ("GET", "/x/{id}/y", with_other_id)],
    "does not support the segment '{p:path}'": [("GET", "/x/{p:path}", without_parameters)],
    "does not support the segment 'pre-{item_id}'": [("GET", "/x/pre-{item_id}", with_id)],
    "does not support the segment '*'": [("GET", "/x/*", without_parameters)],
}


@pytest.mark.parametrize("complaint", BROKEN)
def test_a_route_that_would_be_served_wrongly_is_named(complaint: str) -> None:
    errors = check_routes(BROKEN[complaint])
    assert [error for error in errors if complaint in error], errors


def test_the_service_s_routes_break_no_rule() -> None:
    assert check_routes((route.method, route.path, route.handler) for route in ROUTES) == []
    assert check_routes([("POST", "/x/{item_id}", good), ("GET", "/x", without_parameters)]) == []


def test_the_service_does_not_start_with_a_route_that_breaks_one(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (Answer(204, "Done"),)
    route = Route("POST", "/x", body_by_default, tag="items", scope=Scope.ITEMS_WRITE, answers=answers)
    monkeypatch.setattr(app, "ROUTES", [*ROUTES, route])
    with pytest.raises(StartError, match="POST /x: 'body' has a default"):
        create_app(Settings())
