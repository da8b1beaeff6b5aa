"""What a route is: its handler, and all that the boundary and the OpenAPI document say of it."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from FasterAPI import Faster
from msgspec import Struct

from api.auth.scopes import Scope, Unscoped
from api.http.problems import METHOD_NOT_ALLOWED, NOT_FOUND, Kind, Problem
from api.http.responses import AsgiResponse, Headers


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a route that takes no parameter."""


class Answer(Struct, frozen=True):
    """A success that a route can answer with."""

    status: int
    description: str
    #: What the body decodes to, `bytes` where it is no text, None where there is no body.
    type: Any = None
    #: Response headers, from those that `headers.py` describes.
    headers: tuple[str, ...] = ()
    example: Any = None
    #: A route with several has an answer for each.
    media_type: str = "application/json"
    #: Path parameters of other routes that the answer knows, each with where: an OpenAPI runtime expression.
    links: Mapping[str, str] = {}


class Route(Struct, frozen=True):
    """One method on one path."""

    method: str
    path: str
    #: The first line of its docstring is the summary in the OpenAPI document, the rest the description, in Markdown.
    handler: Callable[..., Awaitable[AsgiResponse]]
    tag: str
    #: What a credential must be good for to come in. It has no default: no route is open by oversight.
    scope: Scope | Unscoped
    answers: tuple[Answer, ...]
    #: Problems of this route's own; those that any route can have are added by `openapi.py`.
    problems: tuple[Kind, ...] = ()
    query: type[Struct] = NoQuery
    #: The JSON Schema of each path parameter, with a description and an example.
    path_schemas: Mapping[str, Any] = {}
    #: Request headers it heeds, from those that `headers.py` describes.
    headers: tuple[str, ...] = ()
    #: What the body decodes to, None where it takes none; `example` shows one. A struct is the handler's parameter.
    body: Any = None
    media_types: tuple[str, ...] = ("application/json",)
    #: Whether the body may be as long as a batch's.
    large_body: bool = False
    example: Any = None
    #: Whether its answers have no end; then they are not counted among the requests that a process serves at once.
    streaming: bool = False
    #: The budget of `limits.py` that a request is counted against besides, where it costs more than most.
    budget: str | None = None

    @property
    def summary(self) -> str:
        """What the route does, in one line."""
        return _documentation(self.handler)[0].removesuffix(".")

    @property
    def description(self) -> str:
        """What a client must know to use the route, in Markdown."""
        return _documentation(self.handler)[1]


def _documentation(handler: Callable[..., Awaitable[AsgiResponse]]) -> tuple[str, str]:
    summary, _, rest = (inspect.getdoc(handler) or "").partition("\n\n")
    return " ".join(summary.split()), "\n\n".join(" ".join(part.split()) for part in rest.split("\n\n"))


class RouteTable:
    """Finds the routes of a path. Paths match to the letter: no trailing or doubled slash is forgiven."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._exact.setdefault(route.path, {})[route.method] = route
        patterns = {path: _pattern(path, tuple(self._exact)) for path in self._exact if "{" in path}
        self._patterns = [(pattern, self._exact.pop(path)) for path, pattern in patterns.items()]

    def find(self, method: str, path: str) -> Route:
        """Give the route for `method` on `path`. Raises Problem: 404, or 405 with what is allowed."""
        methods = self.methods(path)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            raise Problem(METHOD_NOT_ALLOWED, headers=((b"allow", allow(methods)),))
        return route

    def methods(self, path: str) -> Mapping[str, Route]:
        """Give what is there on `path`, by method. Raises Problem: 404."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        for pattern, methods in self._patterns:
            if pattern.fullmatch(path):
                return methods
        raise Problem(NOT_FOUND)


def _pattern(path: str, paths: Sequence[str]) -> re.Pattern[str]:
    """Make the pattern of a path with parameters.

    A parameter is anything but what FasterAPI's router takes for something else: "*", which is its own name for a
    parameter (500), and a literal that another path has at this position, behind which it never turns back (404).
    """
    pattern, before = "", ""
    for segment in path.strip("/").split("/"):
        if segment.startswith("{"):
            beside = {other[len(before) + 1 :].partition("/")[0] for other in paths if other.startswith(before + "/")}
            others = "|".join(re.escape(literal) for literal in sorted({"*", *beside} - {segment}))
            pattern += rf"/(?!(?:{others})(?:/|\Z))[^/]+"
        else:
            pattern += "/" + re.escape(segment)
        before += "/" + segment
    return re.compile(pattern)


def allow(methods: Mapping[str, Route]) -> bytes:
    """Write the `Allow` header for `methods`."""
    allowed = {*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}
    return ", ".join(sorted(allowed)).encode()


def options(methods: Mapping[str, Route]) -> Headers:
    """Give the headers that answer OPTIONS (RFC 9110, section 9.3.7; `Accept-Patch`: RFC 5789)."""
    patch = methods.get("PATCH")
    accept = () if patch is None else ((b"accept-patch", ", ".join(patch.media_types).encode()),)
    return ((b"allow", allow(methods)), *accept)


def register(app: Faster, routes: Sequence[Route]) -> None:
    """Make FasterAPI dispatch to `routes`."""
    for route in routes:
        getattr(app, route.method.lower())(route.path)(route.handler)
