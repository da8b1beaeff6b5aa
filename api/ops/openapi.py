"""Builds the OpenAPI 3.1 document from the routes and the msgspec types of their requests and responses."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from api.auth.scopes import AUDITED, Scope, Unscoped
from api.edge.routing import Answer, Route
from api.http import problems
from api.http.headers import COMMON_REQUEST_HEADERS, COMMON_RESPONSE_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS
from api.http.problems import Kind, ProblemDetails

_REF = "#/components/schemas/{name}"

#: Problems that any route can respond with.
_COMMON_PROBLEMS = (
    problems.INVALID_QUERY,
    problems.INVALID_HEADER,
    problems.EXPECTATION_FAILED,
    problems.QUOTA_EXCEEDED,
    problems.BUSY,
    problems.BODY_TIMEOUT,
    problems.BODY_TOO_LARGE,
    problems.UNAVAILABLE,
    problems.STOPPING,
    problems.INTERNAL,
)

#: Problems that any route that changes something can respond with, too.
_EFFECT_PROBLEMS = (problems.OUTCOME_UNKNOWN,)

_DESCRIPTION = """\
Itemledger records every create, change and delete of an item as an event in an append-only log. Reads come from
projections, which are updated in the same transaction as the log. Writes respond after the commit. A retried write with
the same `Idempotency-Key` and body has no second effect and returns the original response.

Errors are problems (RFC 9457) with a stable `code`. `HEAD` works wherever `GET` does. `OPTIONS` responds with 204 and
`Allow`. An unknown path responds with 404 (`not-found`). An unsupported method on a known path responds with 405
(`method-not-allowed`) and `Allow`. Any request can be rate limited with 429 (`quota-exceeded`).

We may add routes, optional parameters, headers, object members and problem codes without notice. Clients must ignore
what they do not recognise.
"""
#: The name of the only security scheme.
CREDENTIAL = "credential"
_CREDENTIAL = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "API key or JWT",
    "description": "An API key (`itl_...`), created by an operator with `itemledger keys create`, or an access token "
    "(JWT) of the configured issuer. Each operation names the scope that the credential must have. If no API key has "
    "been created and no issuer is configured, the service accepts local requests without credentials.",
}

_TAGS = {
    "items": "Create, read, change and delete items.",
    "activity": "What happened to the items, day by day.",
    "history": "For auditors: every event as recorded, and past states of items.",
    "proofs": "Evidence that the log was not changed: checkpoints, and proofs that lead to them.",
    "keys": "API keys and their scopes, and whose credential a request has.",
    "console": "The page for auditors and operators, and its files.",
    "operations": "Health and maintenance, for operators.",
    "description": "The description of this API.",
}


def build_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document for `routes`, ready to be encoded as JSON."""
    types: list[Any] = [ProblemDetails]
    types += [route.body for route in routes if route.body]
    types += [answer.type for route in routes for answer in route.answers if answer.type not in (None, bytes)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    # By `repr`, since a type such as `list[Item]` is not always hashable. The schemas are in the order of `types`.
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
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The service that serves this document"}],
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
        "parameters": _parameters(route),
        "responses": _responses(route, schema_of, routes),
    }
    if route.body is not None:
        content = {"schema": schema_of[repr(route.body)], "example": route.example}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(route.media_types, content)}
    return operation


def _security(scope: Scope | Unscoped) -> list[dict[str, list[str]]]:
    """Return the security requirement of a route. OpenAPI calls the list roles; ours are the scopes."""
    if scope is Unscoped.OPEN:
        return []
    return [{CREDENTIAL: [scope.value] if isinstance(scope, Scope) else []}]


def _auth_problems(scope: Scope | Unscoped) -> tuple[Kind, ...]:
    """Return the problems of requests without the required credential."""
    if scope is Unscoped.OPEN:
        return ()
    common = (problems.CREDENTIAL_REQUIRED, problems.CREDENTIAL_INVALID, problems.ISSUER_UNAVAILABLE)
    audited = (problems.REQUEST_LOG_UNAVAILABLE,) if scope in AUDITED else ()
    return (*common, problems.INSUFFICIENT_SCOPE, *audited) if isinstance(scope, Scope) else common


def _path_names(route: Route) -> list[str]:
    return [segment[1:-1] for segment in route.path.split("/") if segment.startswith("{")]


def _parameters(route: Route) -> list[dict[str, Any]]:
    query = msgspec.json.schema(route.query)["$defs"][route.query.__name__]
    required, properties = query.get("required", ()), query["properties"]
    headers = {name: REQUEST_HEADERS[name] for name in route.headers} | COMMON_REQUEST_HEADERS
    return [
        *(_parameter(name, "path", route.path_schemas[name], required=True) for name in _path_names(route)),
        *(_parameter(name, "query", properties[name], required=name in required) for name in properties),
        *({"name": name, "in": "header", **header} for name, header in headers.items()),
    ]


def _parameter(name: str, location: str, described_schema: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    schema = dict(described_schema)
    described = {"description": schema.pop("description"), "schema": schema, "example": schema.pop("examples")[0]}
    return {"name": name, "in": location, **({"required": True} if required else {}), **described}


def _responses(route: Route, schema_of: dict[str, Any], routes: Sequence[Route]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for answer in route.answers:
        response = _success(answer, schema_of, routes)
        # Answers with the same status differ in their media type: merge their content.
        response.get("content", {}).update(responses.get(str(answer.status), {}).get("content", {}))
        responses[str(answer.status)] = response
    by_status: dict[int, list[Kind]] = defaultdict(list)
    common = (*_EFFECT_PROBLEMS, *_COMMON_PROBLEMS) if route.has_effects else _COMMON_PROBLEMS
    for kind in (*_auth_problems(route.scope), *route.problems, *common):
        by_status[kind.status].append(kind)
    for status, kinds in sorted(by_status.items()):
        responses.setdefault(str(status), _failure(kinds, route.method, schema_of))
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


def _failure(kinds: Sequence[Kind], method: str, schema_of: dict[str, Any]) -> dict[str, Any]:
    examples = {kind.code: {"summary": kind.title, "value": _example(kind)} for kind in kinds}
    names = ["WWW-Authenticate"] if any(kind.status in (401, 403) for kind in kinds) else []
    if any(kind.retry_after for kind in kinds):
        names.append("Retry-After")
    if problems.UNSUPPORTED_MEDIA_TYPE in kinds:
        names += [f"Accept-{method.title()}", "Accept-Encoding"]
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
