"""Routes: the handler, and everything that the boundary and the OpenAPI document know of it."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from FasterAPI import Faster
from msgspec import Struct

from api.auth.scopes import AUDITED, HISTORY, Scope, Unscoped
from api.edge.rate_limits import EXPORT
from api.http.problems import METHOD_NOT_ALLOWED, NOT_FOUND, Kind, Problem
from api.http.request_body import accept
from api.http.responses import AsgiResponse, Headers


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a route without parameters."""


class Answer(Struct, frozen=True):
    """A successful response of a route."""

    status: int
    description: str
    type: Any = None  # what the body decodes to, `bytes` if it is not text, None without a body
    headers: tuple[str, ...] = ()  # response headers, of those in `headers.py`
    example: Any = None
    media_type: str = "application/json"  # a route with several has an answer for each
    #: Path parameters of other routes that the response contains, each with its OpenAPI runtime expression.
    links: Mapping[str, str] = {}


class Route(Struct, frozen=True, dict=True):
    """One method on one path."""

    method: str
    path: str
    #: Its docstring's first paragraph is the OpenAPI summary, the rest the description, in Markdown.
    handler: Callable[..., Awaitable[AsgiResponse]]
    tag: str
    #: The scope that a credential needs. Without a default, so that no route is open by oversight.
    scope: Scope | Unscoped
    answers: tuple[Answer, ...]
    problems: tuple[Kind, ...] = ()  # problems of this route; `openapi.py` adds those that any route can have
    query: type[Struct] = NoQuery
    #: The JSON Schema of each path parameter, with a description and an example.
    path_schemas: Mapping[str, Any] = {}
    headers: tuple[str, ...] = ()  # request headers that it supports, of those in `headers.py`
    #: What the body decodes to, None if it takes none; `example` is one. A struct is passed to the handler.
    body: Any = None
    media_types: tuple[str, ...] = ("application/json",)
    large_body: bool = False  # whether the body may be as long as a batch's
    example: Any = None
    streaming: bool = False  # whether its responses have no end; they don't count as concurrent requests
    rate_limit: str | None = None  # a second rate limit of `rate_limits.py`, for expensive routes

    # Computed once: a member of an Enum takes four times as long to find.
    @cached_property
    def is_open(self) -> bool:
        """Whether it needs no credential."""
        return self.scope is Unscoped.OPEN

    @cached_property
    def is_audited(self) -> bool:
        """Whether its requests are refused while they cannot be logged."""
        return self.scope in AUDITED

    @cached_property
    def is_of_history(self) -> bool:
        """Whether its requests are logged at any level, with their query."""
        return self.scope in HISTORY

    @cached_property
    def has_effects(self) -> bool:
        """Whether its requests change anything. GET must not (RFC 9110, section 9.2.1); HEAD is served as GET."""
        return self.method != "GET"

    @cached_property
    def lasts(self) -> bool:
        """Whether its responses may last, so that a credential can end meanwhile."""
        return self.streaming or self.rate_limit == EXPORT

    @property
    def summary(self) -> str:
        """What the route does, in one line."""
        return _documentation(self.handler)[0].removesuffix(".")

    @property
    def description(self) -> str:
        """What a client needs to know, in Markdown."""
        return _documentation(self.handler)[1]


def _documentation(handler: Callable[..., Awaitable[AsgiResponse]]) -> tuple[str, str]:
    summary, _, rest = (inspect.getdoc(handler) or "").partition("\n\n")
    return " ".join(summary.split()), "\n\n".join(" ".join(part.split()) for part in rest.split("\n\n"))


class RouteTable:
    """Finds the routes of a path. Paths match exactly: a trailing or doubled slash is another path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._allow_any = allow({route.method: route for route in routes})
        for route in routes:
            self._exact.setdefault(route.path, {})[route.method] = route
        patterns = {path: _pattern(path, tuple(self._exact)) for path in self._exact if "{" in path}
        self._patterns = [(pattern, self._exact.pop(path)) for path, pattern in patterns.items()]

    def find(self, method: str, path: str) -> Route:
        """Return the route of `method` on `path`. Raises Problem: 404, or 405 with `Allow`."""
        methods = self.methods(path)
        if (route := methods.get("GET" if method == "HEAD" else method)) is None:
            raise Problem(METHOD_NOT_ALLOWED, headers=((b"allow", allow(methods)),))
        return route

    def methods(self, path: str) -> Mapping[str, Route]:
        """Return the routes of `path` by method. Raises Problem: 404."""
        if (exact := self._exact.get(path)) is not None:
            return exact
        for pattern, methods in self._patterns:
            if pattern.fullmatch(path):
                return methods
        raise Problem(NOT_FOUND)

    def options(self, path: str) -> Headers:
        """Return the headers of the response to OPTIONS (RFC 9110, section 9.3.7). Raises Problem: 404.

        `*` asks for what the service as a whole supports. `Accept-Patch` is RFC 5789's, `Accept-Post` the W3C's.
        """
        if path == "*":
            return ((b"allow", self._allow_any),)
        methods = self.methods(path)
        taking = sorted(method for method, route in methods.items() if route.body is not None)
        return ((b"allow", allow(methods)), *(accept(method, methods[method].media_types) for method in taking))


def _pattern(path: str, paths: Sequence[str]) -> re.Pattern[str]:
    """Compile the pattern of a path with parameters.

    A parameter excludes two values that FasterAPI's router mistakes: "*", its own name for a parameter (500), and a
    literal that another path has at this position, from which it does not backtrack (404).
    """
    pattern, before = "", ""
    for segment in path.strip("/").split("/"):
        if segment.startswith("{"):
            siblings = {other[len(before) + 1 :].partition("/")[0] for other in paths if other.startswith(before + "/")}
            excluded = "|".join(re.escape(literal) for literal in sorted({"*", *siblings} - {segment}))
            pattern += rf"/(?!(?:{excluded})(?:/|\Z))[^/]+"
        else:
            pattern += "/" + re.escape(segment)
        before += "/" + segment
    return re.compile(pattern)


def allow(methods: Mapping[str, Route]) -> bytes:
    """Return the `Allow` header for `methods`."""
    allowed = {*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}
    return ", ".join(sorted(allowed)).encode()


def register(app: Faster, routes: Sequence[Route]) -> None:
    """Register `routes` with FasterAPI."""
    for route in routes:
        getattr(app, route.method.lower())(route.path)(route.handler)
