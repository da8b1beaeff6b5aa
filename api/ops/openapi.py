"""The OpenAPI 3.1 document, made from the routes and the msgspec types they take and give."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import Struct

from api.auth.scopes import Scope, Unscoped
from api.edge.routing import Answer, Route
from api.http import problems
from api.http.headers import COMMON_REQUEST_HEADERS, COMMON_RESPONSE_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS
from api.http.problems import Kind, ProblemDetails

_REF = "#/components/schemas/{name}"

#: Problems that any route can answer with.
_ANYWHERE = (
    problems.INVALID_QUERY,
    problems.QUOTA_EXCEEDED,
    problems.BUSY,
    problems.BODY_TIMEOUT,
    problems.BODY_TOO_LARGE,
    problems.UNAVAILABLE,
    problems.STOPPING,
    problems.INTERNAL,
)

_ABOUT = """\
Every create, change and delete is a fact in a log that only grows. Reads come from a projection that is kept in step
with it, in the same transaction.

Errors are problems (RFC 9457); their `code` is stable. `HEAD` works wherever `GET` does. `OPTIONS` answers 204 with
`Allow`. A path that is not here answers 404 (`not-found`), another method on one that is answers 405
(`method-not-allowed`) with `Allow`. Any request at all can be answered 429 (`quota-exceeded`).

Without notice the service may come to send more: routes, optional parameters, headers, members of objects and codes of
problems. Clients go on where they meet what they don't know.
"""
#: The name of the one way to show a credential.
CREDENTIAL = "credential"
_CREDENTIAL = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "API key or JWT",
    "description": "An API key, `itl_...`, which those who run the service make (`itemledger keys create`), or an "
    "access token (JWT) of the issuer that they name. What stands beside it at an operation is the scope that it must "
    "have. A service for which nobody ever made a key or named an issuer takes requests from its own machine without.",
}

_TAGS = {
    "items": "What clients create, read, change and delete.",
    "activity": "What happened to the items, day by day.",
    "history": "What auditors ask: every event as it was recorded, and what items were.",
    "proofs": "That the log is what it was: checkpoints, and proofs that lead to them.",
    "keys": "Who may come in by an API key, and what for.",
    "operations": "What those who run the service need.",
    "description": "The service about itself.",
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Give the document for `routes`, ready to be encoded as JSON."""
    types: list[Any] = [ProblemDetails]
    types += [route.body for route in routes if route.body]
    types += [answer.type for route in routes for answer in route.answers if answer.type not in (None, bytes)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    # A list, since a type such as `list[Item]` need not be hashable; in the order of `types`.
    schema_of = {repr(type): schema for type, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route, schema_of, routes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Itemledger",
            "version": version("itemledger"),
            "summary": "An event-sourced item service",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The service that gives this document"}],
        "security": [{CREDENTIAL: []}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": dict(paths),
        "components": {
            "securitySchemes": {CREDENTIAL: _CREDENTIAL},
            "schemas": components,
            "headers": RESPONSE_HEADERS | COMMON_RESPONSE_HEADERS,
        },
    }


def _operation(route: Route, schema_of: dict[str, Any], routes: Sequence[Route]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "description": route.description,
        "tags": [route.tag],
        "security": _security(route.scope),
        "parameters": [*_path_parameters(route), *_query_parameters(route.query), *_header_parameters(route)],
        "responses": _responses(route, schema_of, routes),
    }
    if route.body is not None:
        content = {"schema": schema_of[repr(route.body)], "example": route.example}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(route.media_types, content)}
    return operation


def _security(scope: Scope | Unscoped) -> list[dict[str, list[str]]]:
    """Say what a route asks for. What stands beside a scheme that is not OAuth's are roles; ours are the scopes."""
    if scope is Unscoped.OPEN:
        return []
    return [{CREDENTIAL: [scope.value] if isinstance(scope, Scope) else []}]


def _refusals(scope: Scope | Unscoped) -> tuple[Kind, ...]:
    """Give the problems of those who are not let in."""
    if scope is Unscoped.OPEN:
        return ()
    unknown = (problems.CREDENTIAL_REQUIRED, problems.CREDENTIAL_INVALID, problems.ISSUER_UNAVAILABLE)
    return (*unknown, problems.INSUFFICIENT_SCOPE) if isinstance(scope, Scope) else unknown


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [_parameter(name, "path", route.path_schemas[name], required=True) for name in _path_names(route)]


def _path_names(route: Route) -> list[str]:
    return [segment[1:-1] for segment in route.path.split("/") if segment.startswith("{")]


def _query_parameters(query: type[Struct]) -> list[dict[str, Any]]:
    schema = msgspec.json.schema(query)["$defs"][query.__name__]
    required = schema.get("required", ())
    return [
        _parameter(name, "query", described, required=name in required)
        for name, described in schema["properties"].items()
    ]


def _parameter(name: str, where: str, described: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    schema = dict(described)
    description, (example,) = schema.pop("description"), schema.pop("examples")
    must = {"required": True} if required else {}
    return {"name": name, "in": where, **must, "description": description, "schema": schema, "example": example}


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    headers = {name: REQUEST_HEADERS[name] for name in route.headers} | COMMON_REQUEST_HEADERS
    return [{"name": name, "in": "header", **described} for name, described in headers.items()]


def _responses(route: Route, schema_of: dict[str, Any], routes: Sequence[Route]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for answer in route.answers:
        response = _success(answer, schema_of, routes)
        # Another media type of the same answer joins those before it.
        response.get("content", {}).update(responses.get(str(answer.status), {}).get("content", {}))
        responses[str(answer.status)] = response
    by_status: dict[int, list[Kind]] = defaultdict(list)
    for kind in (*_refusals(route.scope), *route.problems, *_ANYWHERE):
        by_status[kind.status].append(kind)
    for status, kinds in sorted(by_status.items()):
        responses.setdefault(str(status), _failure(kinds, schema_of))
    return responses


def _success(answer: Answer, schema_of: dict[str, Any], routes: Sequence[Route]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description, "headers": _headers(*answer.headers)}
    if answer.type is not None:
        content = {} if answer.type is bytes else {"schema": schema_of[repr(answer.type)]}
        if answer.example is not None:
            content["example"] = answer.example
        response["content"] = {answer.media_type: content}
    if answer.links:
        response["links"] = {
            route.handler.__name__: {
                "operationId": route.handler.__name__,
                "parameters": dict(answer.links),
                "description": route.summary,
            }
            for route in routes
            if set(_path_names(route)) == set(answer.links)
        }
    return response


def _failure(kinds: Sequence[Kind], schema_of: dict[str, Any]) -> dict[str, Any]:
    examples = {kind.code: {"summary": kind.title, "value": _example(kind)} for kind in kinds}
    names = ["WWW-Authenticate"] if any(kind.status in (401, 403) for kind in kinds) else []
    if any(kind.retry_after for kind in kinds):
        names.append("Retry-After")
    return {
        "description": " ".join(dict.fromkeys(kind.description for kind in kinds)),
        "headers": _headers(*names),
        "content": {problems.MEDIA_TYPE: {"schema": schema_of[repr(ProblemDetails)], "examples": examples}},
    }


def _example(kind: Kind) -> dict[str, Any]:
    outcome = {"outcome": "unknown"} if kind is problems.OUTCOME_UNKNOWN else {}
    return {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.description,
        "code": kind.code,
        "request_id": "0193f3c1a2b4c5d6e7f80000002a",
        **outcome,
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, *COMMON_RESPONSE_HEADERS)}
