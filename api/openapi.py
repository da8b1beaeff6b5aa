"""The OpenAPI 3.1 document, made from the routes and the msgspec types they take and give."""

from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import Struct

from api import problems
from api.problems import Kind, ProblemDetails
from api.routing import Answer, Route

_REF = "#/components/schemas/{name}"

#: Problems that any route can answer with.
_ANYWHERE = (
    problems.INVALID_QUERY,
    problems.BODY_TIMEOUT,
    problems.BODY_TOO_LARGE,
    problems.UNAVAILABLE,
    problems.STOPPING,
    problems.INTERNAL,
)

_REQUEST_HEADERS = {
    "If-None-Match": ("Entity tags the client has: the answer is 304 where one is the item's", '"2.1"'),
    "Idempotency-Key": (
        "Names the write: sent again with the same key and body it has no second effect, and is answered as the first "
        "time. 1 to 255 characters, in double quotes or one word",
        '"0b4ff2a2-6f0c-4c61-9a3a-3f5c61a0d1a5"',
    ),
    "If-Match": ("Entity tags: the request is carried out only where one is the item's", '"2.1"'),
}
_COMMON_REQUEST_HEADERS = {
    "X-Request-Id": (
        "Names the request in answers and logs; of 1 to 128 characters of A-Z a-z 0-9 . _ : / + = @ -",
        "a1",
    ),
    "traceparent": (
        "W3C trace context: its trace id is recorded with every event of the request",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
}
_RESPONSE_HEADERS: dict[str, dict[str, Any]] = {
    "Location": {"description": "Where the new item is", "schema": {"type": "string", "format": "uri-reference"}},
    "ETag": {"description": "Changes when the item does", "schema": {"type": "string"}},
    "Log-Position": {
        "description": "The position in the log that the answer reflects; as `min_position` it makes sure that a later "
        "answer does, too",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Idempotency-Replayed": {
        "description": "Where the answer is that of an earlier request with the same `Idempotency-Key`",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": {
        "description": 'The first page, `rel="first"`, and the next, `rel="next"`, where there is one (RFC 8288)',
        "schema": {"type": "string"},
    },
    "X-Request-Id": {"description": "The request's name in the logs", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before trying again", "schema": {"type": "integer"}},
    "Cache-Control": {"description": "How long the answer may be kept (RFC 9111)", "schema": {"type": "string"}},
    "Content-Security-Policy": {"description": "Where the page may load from", "schema": {"type": "string"}},
}
_TAGS = {
    "items": "What clients create, read, change and delete.",
    "operations": "What those who run the service need.",
    "description": "The service about itself.",
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Give the document for `routes`, ready to be encoded as JSON."""
    types: list[Any] = [ProblemDetails]
    types += [route.body for route in routes if route.body]
    types += [answer.type for route in routes for answer in route.answers if answer.type is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    # A list, since a type such as `list[Item]` need not be hashable; in the order of `types`.
    schema_of = {repr(type): schema for type, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Itemledger",
            "version": version("itemledger"),
            "summary": "An event-sourced item service",
            "description": "Every create, change and delete is a fact in a log that only grows. Reads come from a "
            "projection that is kept in step with it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": dict(paths),
        "components": {"schemas": components, "headers": _RESPONSE_HEADERS},
    }


def _operation(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route.query), *_header_parameters(route)],
        "responses": _responses(route, schema_of),
    }
    if route.body is not None:
        content = {"schema": schema_of[repr(route.body)], "example": route.example}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(route.media_types, content)}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = [segment[1:-1] for segment in route.path.split("/") if segment.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": route.path_schemas[name]} for name in names]


def _query_parameters(query: type[Struct]) -> list[dict[str, Any]]:
    properties = msgspec.json.schema(query)["$defs"][query.__name__]["properties"]
    parameters = []
    for name, schema in properties.items():
        description = schema.pop("description", "")
        parameters.append({"name": name, "in": "query", "description": description, "schema": schema})
    return parameters


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    headers = {name: _REQUEST_HEADERS[name] for name in route.headers} | _COMMON_REQUEST_HEADERS
    return [
        {"name": name, "in": "header", "description": description, "schema": {"type": "string"}, "example": example}
        for name, (description, example) in headers.items()
    ]


def _responses(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    responses = {str(answer.status): _success(answer, schema_of) for answer in route.answers}
    by_status: dict[int, list[Kind]] = defaultdict(list)
    for kind in (*route.problems, *_ANYWHERE):
        by_status[kind.status].append(kind)
    for status, kinds in sorted(by_status.items()):
        responses.setdefault(str(status), _failure(kinds, schema_of, route))
    return responses


def _success(answer: Answer, schema_of: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description, "headers": _headers(*answer.headers)}
    if answer.type is not None:
        content = {"schema": schema_of[repr(answer.type)]}
        if answer.example is not None:
            content["example"] = answer.example
        response["content"] = {answer.media_type: content}
    return response


def _failure(kinds: Sequence[Kind], schema_of: dict[str, Any], route: Route) -> dict[str, Any]:
    examples = {kind.code: {"summary": kind.title, "value": _example(kind)} for kind in kinds}
    names = ["Cache-Control"]
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
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, "Log-Position", "X-Request-Id")}
