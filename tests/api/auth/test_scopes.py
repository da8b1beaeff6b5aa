"""Which route asks for which scope: a table written by hand, beside the one that is served."""

from msgspec.structs import fields

from api.app import ROUTES
from api.edge.routing import Route
from api.ops import openapi

#: Every route. One that is not here, or here and no longer there, fails the test.
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
    "GET /livez": "no credential",
    "GET /readyz": "no credential",
    "GET /openapi.json": "any credential",
    "GET /docs": "no credential",
    "GET /docs/{asset}": "no credential",
    "GET /problems/{code}": "any credential",
}


def test_every_route_asks_for_the_scope_in_the_table() -> None:
    served = {f"{route.method} {route.path}": route.scope.value for route in ROUTES}
    assert served == SCOPES


def test_the_document_says_so() -> None:
    document = openapi.build_document(ROUTES)
    assert document["security"] == [{"credential": []}]
    assert document["components"]["securitySchemes"]["credential"]["scheme"] == "bearer"
    for name, wanted in SCOPES.items():
        method, path = name.split()
        operation = document["paths"][path][method.lower()]
        refusals = {"401", "403"} & operation["responses"].keys()
        match wanted:
            case "no credential":
                assert (operation["security"], refusals) == ([], set())
            case "any credential":
                assert (operation["security"], refusals) == ([{"credential": []}], {"401"})
            case scope:
                assert (operation["security"], refusals) == ([{"credential": [scope]}], {"401", "403"})
        for status in refusals:
            assert "WWW-Authenticate" in operation["responses"][status]["headers"]


def test_a_route_without_a_scope_can_not_be_made() -> None:
    assert {field.name: field.required for field in fields(Route)}["scope"]
