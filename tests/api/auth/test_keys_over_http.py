"""API keys over HTTP: `/keys`."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from structlog.testing import CapturingLogger

from api.auth.api_keys import usage
from api.auth.api_keys.format import read_key
from api.auth.scopes import Scope
from api.keys.routes import EXAMPLES
from api.keys.schemas import CreatedKey, KeyRequest, KeyState, RotationRequest
from tests.api.conftest import judged
from tests.support.clients.http import check_problem, unchanged_log
from tests.support.clients.keys import as_read, bearer, make_key
from tests.support.service import InProcess

SHOP: dict[str, Any] = {"name": "shop", "scopes": ["items:write", "items:read"]}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[CapturingLogger]:
    logger = CapturingLogger()
    monkeypatch.setattr(usage, "audit", logger)
    return logger


async def admin_of(service: InProcess, *scopes: Scope) -> InProcess:
    """Have the service's client authenticate with a key for `keys:admin` and these scopes."""
    key = await make_key(service.services.database, "admin", Scope.KEYS_ADMIN, *scopes)
    as_read(service)
    service.client.headers.update(bearer(key.text))
    return judged(service)


async def test_a_key_is_created_shown_listed_rotated_and_revoked(service: InProcess, lines: CapturingLogger) -> None:
    client = (await admin_of(service, Scope.ITEMS_READ, Scope.ITEMS_WRITE)).client
    created = await client.post("/keys", json={**SHOP, "expires_in": 3600.0})
    assert created.status_code == 201
    assert created.headers["cache-control"] == "no-store"
    shop = created.json()
    key, earlier = shop.pop("key"), shop.pop("earlier_keys")
    assert earlier == []
    assert read_key(key.encode()) is not None
    assert (shop["id"], shop["name"], shop["scopes"]) == (key[4:12], "shop", ["items:read", "items:write"])
    assert (shop["state"], shop["created_by"], shop["last_used_at"]) == ("good", "admin", None)
    shown = await client.get(created.headers["location"])
    assert (shown.status_code, shown.json()) == (200, shop)
    head = await client.head(created.headers["location"])
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(shown.content)))

    item = await client.post("/items", json={"name": "Pen", "price": 1}, headers=bearer(key))
    assert item.status_code == 201
    check_problem(await client.get("/keys", headers=bearer(key)), 403, "insufficient-scope")

    check_problem(await client.post("/keys", json=SHOP), 409, "key-name-taken")
    rotated = await client.post(f"/keys/{shop['id']}/rotate", json={"overlap": 60})
    assert rotated.status_code == 201
    successor = rotated.json()
    assert (successor["name"], successor["scopes"]) == ("shop", shop["scopes"])
    assert successor["expires_at"] > shop["expires_at"], "it has the lifetime of the old key"
    assert (await client.get(created.headers["location"])).json()["replaced_by"] == successor["id"]
    check_problem(await client.post(f"/keys/{shop['id']}/rotate", json={}), 409, "key-ended")
    for active in (key, successor["key"]):
        assert (await client.get("/items/1", headers=bearer(active))).status_code == 200

    assert [entry["id"] for entry in (await client.get("/keys")).json()][1:] == [shop["id"], successor["id"]]
    assert (await client.delete(f"/keys/{shop['id']}")).status_code == 204
    check_problem(await client.get(f"/keys/{shop['id']}"), 404, "key-not-found")
    check_problem(await client.delete(f"/keys/{shop['id']}"), 404, "key-not-found")
    check_problem(await client.post(f"/keys/{shop['id']}/rotate", json={}), 404, "key-not-found")
    as_read(service)
    check_problem(await client.get("/items/1", headers=bearer(key)), 401, "credential-invalid")
    assert [entry["id"] for entry in (await client.get("/keys")).json()][1:] == [successor["id"]]
    everything = (await client.get("/keys?ended=true")).json()
    assert [(entry["id"], entry["state"]) for entry in everything][1:] == [
        (shop["id"], "revoked"),
        (successor["id"], "good"),
    ]
    logged = [(*line.args, line.kwargs["key_id"], line.kwargs["by"]) for line in lines.calls]
    assert logged == [
        ("API key created", shop["id"], "admin"),
        ("API key rotated", successor["id"], "admin"),
        ("API key revoked", shop["id"], "admin"),
    ]
    secrets = (key, successor["key"])
    assert not any(secret[13:] in text for secret in secrets for text in (str(lines.calls), str(everything)))


async def test_a_client_cannot_grant_a_scope_that_it_lacks(service: InProcess) -> None:
    client = (await admin_of(service, Scope.ITEMS_READ)).client
    writer = await make_key(service.services.database, "writer", Scope.ITEMS_WRITE)
    before = (await client.get("/keys?ended=true")).json()
    for answer in (
        await client.post("/keys", json=SHOP),
        await client.post(f"/keys/{writer.key.id}/rotate", json={}),
    ):
        problem = check_problem(answer, 403, "insufficient-scope")
        assert problem["detail"] == "The credential lacks the scope items:write"
    assert (await client.get("/keys?ended=true")).json() == before
    assert (await client.delete(f"/keys/{writer.key.id}")).status_code == 204, "revoking a key does not need its scopes"
    created = await client.post("/keys", json={"name": "reader", "scopes": ["items:read"]})
    assert created.status_code == 201


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "anonymous"}, "/name"),
        ({"name": "jwt:alice"}, "/name"),
        ({"name": "two words"}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "a" * 65}, "/name"),
        ({"name": "shop\n"}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["items:burn"]}, "/scopes/0"),
        ({"scopes": "items:read"}, "/scopes"),
        ({"expires_in": -1}, "/expires_in"),
        ({"expires_in": None}, "/expires_in"),
        ({"expires_in": 10**12}, "/expires_in"),
        ({"id": "85fy6djd"}, "/id"),
        ({"created_by": "root"}, "/created_by"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_an_invalid_body_names_the_invalid_member(
    shared: InProcess, change: dict[str, object], pointer: str
) -> None:
    async with unchanged_log(shared.services.database):
        problem = check_problem(await shared.client.post("/keys", json={**SHOP, **change}), 422, "invalid-body")
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    assert "regex" not in str(problem)
    assert (await shared.client.get("/keys?ended=true")).json() == []


@pytest.mark.parametrize("key_id", ["00000000", "0", "A" * 8, "85fy6dj%00", "%F0%9F%94%91", "x" * 4000])
@pytest.mark.asyncio(loop_scope="module")
async def test_an_unknown_key_is_not_found(shared: InProcess, key_id: str) -> None:
    check_problem(await shared.client.get(f"/keys/{key_id}"), 404, "key-not-found")
    check_problem(await shared.client.delete(f"/keys/{key_id}"), 404, "key-not-found")
    check_problem(await shared.client.post(f"/keys/{key_id}/rotate", json={}), 404, "key-not-found")


async def test_of_concurrent_creations_for_one_holder_one_succeeds(service: InProcess) -> None:
    client = (await admin_of(service, Scope.ITEMS_READ, Scope.ITEMS_WRITE)).client
    answers = await asyncio.gather(*(client.post("/keys", json=SHOP) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


async def test_the_first_key_can_be_created_locally_and_then_credentials_are_required(service: InProcess) -> None:
    first = await judged(service).client.post("/keys", json={"name": "root", "scopes": [*Scope]})
    assert (first.status_code, first.json()["created_by"]) == (201, "anonymous")
    as_read(service)
    check_problem(await service.client.get("/keys"), 401, "credential-required")
    answer = await service.client.get("/keys", headers=bearer(first.json()["key"]))
    assert [entry["name"] for entry in answer.json()] == ["root"]


@pytest.mark.parametrize(
    ("name", "schema"),
    [("key", KeyState), ("created_key", CreatedKey), ("create", KeyRequest), ("rotate", RotationRequest)],
)
def test_an_example_matches_its_schema(name: str, schema: type[msgspec.Struct]) -> None:
    assert EXAMPLES.keys() == {"key", "created_key", "create", "rotate"}
    assert msgspec.to_builtins(msgspec.convert(EXAMPLES[name], schema)) == EXAMPLES[name]


async def test_the_list_is_paged_and_its_pages_have_every_key_once(service: InProcess) -> None:
    client = (await admin_of(service, Scope.ITEMS_READ)).client
    database = service.services.database
    names = ["Zoe", "anna", "bob", "Bob", "a.b", "a-b", "a_b"]
    made = [await make_key(database, name, Scope.ITEMS_READ) for name in names]
    for key in made[:3]:
        assert (await client.post(f"/keys/{key.key.id}/rotate", json={"overlap": 60})).status_code == 201
    for key in made[3:5]:
        assert (await client.delete(f"/keys/{key.key.id}")).status_code == 204
    for query, count in (({}, 9), ({"ended": "true"}, 11)):
        expected = (await client.get("/keys", params=query)).json()
        assert len({entry["id"] for entry in expected}) == len(expected) == count
        for limit in (1, 2, count - 1, count, 1000):
            found, url = [], f"/keys?limit={limit}{'&ended=true' if query else ''}"
            while url:
                page = await client.get(url)
                assert 0 < len(page.json()) <= limit
                found += page.json()
                url = page.links.get("next", {}).get("url", "")
            assert found == expected
    newest = [entry["id"] for entry in (await client.get("/keys", params={"ended": "true"})).json()][-1]
    assert (await client.get(f"/keys?ended=true&cursor={newest}")).json() == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=", "cursor=00000000", "cursor=A", "page=2"]
)
@pytest.mark.asyncio(loop_scope="module")
async def test_an_invalid_page_is_rejected(shared: InProcess, query: str) -> None:
    check_problem(await shared.client.get(f"/keys?{query}"), 400, "invalid-query")
