"""The OpenAPI document: valid 3.1, complete and correct. All other tests check their responses against it."""

import json
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from api.app import ROUTES, create_app
from api.http.idempotency import read_key
from api.http.problems import KINDS, NOT_READY, Problem
from api.ops import openapi
from api.settings import Settings
from tests.api.http.test_bad_bodies import WRONG_FIELDS, WRONG_NAMES, WRONG_TYPES
from tests.api.http.test_names_in_answers import NAMES
from tests.api.items.test_patch import CHANGES
from tests.api.items.test_patch import WRONG as WRONG_PATCHES
from tests.support.clients.http import Contract
from tests.support.service import ITEMLEDGER, InProcess

DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi.build_document(ROUTES)))
CONTRACT = Contract(DOCUMENT)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def accepts(body: bytes, name: str = "POST /items") -> bool:
    (schema, *others) = (media["schema"] for media in OPERATIONS[name]["requestBody"]["content"].values())
    assert all(other == schema for other in others)
    return CONTRACT.errors(schema, json.loads(body)) == []


def examples(name: str) -> tuple[bytes, str, Any]:
    """Return the request example of an operation, its media type, and the example of its success, if any."""
    operation = OPERATIONS[name]
    media_type, content = next(iter(operation.get("requestBody", {}).get("content", {"": {}}).items()))
    success = next(response for status, response in operation["responses"].items() if status < "300")
    shown = success.get("content", {}).get("application/json", {}).get("example")
    return json.dumps(content["example"]).encode() if content else b"", media_type, shown


async def test_the_service_serves_the_document(service: InProcess) -> None:
    answer = await service.client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT


def test_it_is_valid() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_it_has_every_route_and_nothing_else() -> None:
    inner = create_app(Settings())._app
    served = {f"{route['method']} {route['path']}" for route in inner.routes}  # type: ignore[attr-defined]
    assert set(OPERATIONS) == served == {f"{route.method} {route.path}" for route in ROUTES}
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_describes_its_request_and_all_responses(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert {tag["name"] for tag in DOCUMENT["tags"]} >= set(operation["tags"])
    assert {"400", "500", "503"} <= set(operation["responses"])
    if "{" in name:
        assert "404" in operation["responses"]
    if "requestBody" in operation:
        assert operation["requestBody"]["required"] is True
        assert {"408", "413", "415", "422"} <= set(operation["responses"])
    for status, response in operation["responses"].items():
        assert {"X-Request-Id", "Log-Position"} <= set(response["headers"])
        assert response["description"]
        if int(status) >= 400:
            assert set(response["content"]) == {"application/problem+json"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_example_is_an_instance_of_its_schema(name: str) -> None:
    operation = OPERATIONS[name]
    contents = [*operation.get("requestBody", {}).get("content", {}).values()]
    for response in operation["responses"].values():
        contents += response.get("content", {}).values()
    for content in contents:
        examples = [example["value"] for example in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        assert examples or content == {}, "only bytes have none"
        for example in examples:
            assert CONTRACT.errors(content["schema"], example) == []
    for described in [*operation["parameters"], *DOCUMENT["components"]["headers"].values()]:
        assert described["description"]
        assert CONTRACT.errors(described["schema"], described["example"]) == []


#: The members of examples that their schemas do not require.
OPTIONAL = {
    "PATCH /items/{item_id}": {"price"},
    "GET /livez": {"status"},
    "GET /readyz": {"status"},
    "GET /events/export": {"datacontenttype", "specversion", "correlationid", "credential"},
    "GET /console/{folder}/{file}": {"lit.js"},
    "POST /keys": {"expires_in"},
    "POST /keys/{key_id}/rotate": {"overlap"},
}
#: The members of examples that can be any JSON.
UNTYPED = {"GET /events/export": {"data"}, "GET /console/{folder}/{file}": {"lit.js"}}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_example_with_a_wrong_or_missing_member_is_detected(name: str) -> None:
    operation = OPERATIONS[name]
    contents = [*operation.get("requestBody", {}).get("content", {}).items()]
    for response in operation["responses"].values():
        contents += response.get("content", {}).items()
    optional: set[str] = set()
    for media_type, content in contents:
        if not media_type.endswith("json") or "example" not in content or name == "GET /openapi.json":
            continue
        example, schema = content["example"], content["schema"]
        members = example[0] if isinstance(example, list) else example
        for member in members:
            wrong = {**members, member: [None]}
            missing = {key: value for key, value in members.items() if key != member}
            if isinstance(example, list):
                wrong, missing = [wrong], [missing]  # type: ignore[assignment]
            assert (CONTRACT.errors(schema, wrong) == []) is (member in UNTYPED.get(name, ())), member
            optional |= set() if CONTRACT.errors(schema, missing) else {member}
    assert optional == OPTIONAL.get(name, set())


def test_a_response_with_an_item_links_to_all_operations_on_it() -> None:
    about_one = {operation["operationId"] for name, operation in OPERATIONS.items() if "{item_id}" in name}
    for name, status in {"POST /items": "201", "POST /items/batch": "201", "DELETE /items/{item_id}": "204"}.items():
        links = OPERATIONS[name]["responses"][status]["links"]
        assert {link["operationId"] for link in links.values()} == about_one


def test_the_command_prints_the_document_and_needs_no_database() -> None:
    printed = subprocess.run([ITEMLEDGER, "openapi"], env={"DATABASE_URL": "none"}, stdout=subprocess.PIPE, check=True)
    assert json.loads(printed.stdout) == DOCUMENT


@settings(deadline=None, max_examples=500)
@given(st.text(st.sampled_from(list('aZ0 !#,;"\\\t[]~é')), max_size=6) | st.text("a", min_size=253, max_size=257))
def test_the_schema_accepts_the_keys_that_the_service_accepts(key: str) -> None:
    [parameter] = [p for p in OPERATIONS["POST /items"]["parameters"] if p["name"] == "Idempotency-Key"]
    for written in (key, f'"{key}"', f'"{key}\\""'):
        # Servers strip the white space around a header's value.
        accepted = CONTRACT.errors(parameter["schema"], written.strip(" \t")) == []
        try:
            read_key(written.encode())
        except Problem:
            assert not accepted, written
        else:
            assert accepted, written


#: Every operation of items, in an order in which each succeeds.
_STORY = [
    *("POST /items", "GET /items", "GET /items/{item_id}", "DELETE /items/{item_id}"),
    *("POST /items/{item_id}/restore", "PATCH /items/{item_id}"),
]


async def example_sent(service: InProcess, name: str) -> tuple[Any, Any]:
    """Send an operation's example. Return the response's body and the example of it."""
    body, media_type, shown = examples(name)
    method, path = name.format(item_id=1).split()
    answer = await service.client.request(method, path, content=body, headers={"content-type": media_type})
    assert str(answer.status_code) in OPERATIONS[name]["responses"]
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None, shown


async def test_the_example_of_a_request_returns_the_example_of_its_response(service: InProcess) -> None:
    assert {name for name in OPERATIONS if " /items" in name} == {*_STORY, "POST /items/batch"}
    for name in _STORY:
        answered, shown = await example_sent(service, name)
        assert answered == shown, name


async def test_the_example_of_a_batch_returns_the_example_of_its_response(service: InProcess) -> None:
    answered, shown = await example_sent(service, "POST /items/batch")
    assert answered == shown


def test_every_kind_of_problem_is_described_somewhere() -> None:
    described = {
        code
        for operation in OPERATIONS.values()
        for status, response in operation["responses"].items()
        if int(status) >= 400
        for code in response["content"]["application/problem+json"]["examples"]
    }
    # 405 is for methods that are not in the document.
    assert {kind.code for kind in KINDS} - described == {"method-not-allowed"}
    assert NOT_READY.code in described


@pytest.mark.parametrize("case", [*WRONG_TYPES, *WRONG_FIELDS, *WRONG_NAMES])
def test_the_schema_rejects_what_the_service_rejects(case: str) -> None:
    body, _ = {**WRONG_TYPES, **WRONG_FIELDS, **WRONG_NAMES}[case]
    if case != "repeated, first wrong":  # a schema cannot detect it: parsers keep the last
        assert not accepts(body)
        assert not accepts(b'[{"name":"a","price":1},%s]' % body, "POST /items/batch")


@pytest.mark.parametrize("case", WRONG_PATCHES)
def test_the_schema_rejects_the_patches_that_the_service_rejects(case: str) -> None:
    # JSON Schema cannot limit the fractional digits of a number.
    if not case.startswith("price ") or case.partition(" ")[2] in ("null", "true", "[]", '{"a":1}', "1e14", '"NaN"'):
        assert not accepts(WRONG_PATCHES[case][0], "PATCH /items/{item_id}")


def test_the_schema_accepts_the_patches_that_the_service_accepts() -> None:
    for body, _ in CHANGES.values():
        assert accepts(json.dumps(body).encode(), "PATCH /items/{item_id}")
    assert accepts(b"{}", "PATCH /items/{item_id}")


def test_the_schema_limits_the_number_of_items_in_a_batch() -> None:
    for count, accepted in ((0, False), (1, True), (1000, True), (1001, False)):
        assert accepts(json.dumps([{"name": "a", "price": 1}] * count).encode(), "POST /items/batch") is accepted
    for body in (b"{}", b'{"name":"a","price":1}', b"null"):
        assert not accepts(body, "POST /items/batch")


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_accepts_the_names_that_the_service_accepts(name: str) -> None:
    assert accepts(json.dumps({"name": name, "price": "9.99"}).encode())


def test_the_contract_check_rejects_invalid_responses() -> None:
    item = {"$ref": "#/components/schemas/Item"}
    good = {"id": 1, "name": "Pen", "price": 9.99, "in_stock": True}
    assert CONTRACT.errors(item, good) == []
    for bad in ({**good, "id": "1"}, {**good, "price": "9.99"}, {"id": 1}, {**good, "name": " "}, {**good, "id": 0}):
        assert CONTRACT.errors(item, bad) != []
