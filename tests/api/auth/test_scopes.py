"""The scope of every route: a table written by hand, compared with the served routes."""

from msgspec.structs import fields

from api.app import ROUTES
from api.edge.routing import Route
from api.ops import openapi

#: Every route. A missing or a removed route fails the test.
SCOPES: dict[str, str] = {
    "POST /items": "items:write",
    "GET /items": "items:read",
    "POST /items/batch": "items:write",
    "GET /items/{item_id}": "items:read",
    "PATCH /items/{item_id}": "items:write",
    "DELETE /items/{item_id}": "items:write",
    "POST /items/{item_id}/restore": "items:write",
    "GET /activity": "items:read",
    "GET /events": "events:read",
    "GET /events/{position}": "events:read",
    "GET /log/checkpoint": "events:read",
    "GET /log/proof/{position}": "events:read",
    "GET /log/consistency": "events:read",
    "GET /audit/items": "events:read",
    "GET /audit/items/{item_id}": "events:read",
    "GET /events/stream": "events:read",
    "GET /events/export": "events:export",
    "GET /projections": "projections:rebuild",
    "GET /projections/{name}": "projections:rebuild",
    "POST /projections/{name}/rebuild": "projections:rebuild",
    "DELETE /projections/{name}/rebuild": "projections:rebuild",
    "GET /keys": "keys:admin",
    "POST /keys": "keys:admin",
    "GET /keys/{key_id}": "keys:admin",
    "DELETE /keys/{key_id}": "keys:admin",
    "POST /keys/{key_id}/rotate": "keys:admin",
    "GET /me": "any credential",
    "GET /": "no credential",
    "GET /console": "no credential",
    "GET /console/{folder}/{file}": "no credential",
    "GET /livez": "no credential",
    "GET /readyz": "no credential",
    "GET /openapi.json": "any credential",
    "GET /docs": "no credential",
    "GET /docs/{asset}": "no credential",
    "GET /problems/{code}": "any credential",
}


def test_every_route_requires_the_scope_in_the_table() -> None:
    served = {f"{route.method} {route.path}": route.scope.value for route in ROUTES}
    assert served == SCOPES


def test_the_openapi_document_has_the_same_scopes() -> None:
    document = openapi.build_document(ROUTES)
    assert document["security"] == [{"credential": []}]
    assert document["components"]["securitySchemes"]["credential"]["scheme"] == "bearer"
    for name, required in SCOPES.items():
        method, path = name.split()
        operation = document["paths"][path][method.lower()]
        rejections = {"401", "403"} & operation["responses"].keys()
        match required:
            case "no credential":
                assert (operation["security"], rejections) == ([], set())
            case "any credential":
                assert (operation["security"], rejections) == ([{"credential": []}], {"401"})
            case scope:
                assert (operation["security"], rejections) == ([{"credential": [scope]}], {"401", "403"})
        for status in rejections:
            assert "WWW-Authenticate" in operation["responses"][status]["headers"]


def test_a_route_cannot_be_created_without_a_scope() -> None:
    assert {field.name: field.required for field in fields(Route)}["scope"]
