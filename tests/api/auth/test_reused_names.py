"""Two people who held one name one after the other are told apart: in events, by idempotency keys, in the log."""

import json
from functools import partial

import httpx
import pytest
from structlog.testing import CapturingLogger

from api.auth.api_keys import store, usage
from api.auth.api_keys.store import NewKey
from api.auth.scopes import Scope
from tests.api.cli.command import process
from tests.support.clients.http import JSON
from tests.support.clients.keys import as_read, bearer, make_key
from tests.support.service import InProcess

PEN = b'{"name":"Pen","price":1}'


async def create_pen(service: InProcess, credential: str, key: str) -> httpx.Response:
    return await service.client.post(
        "/items", content=PEN, headers={**JSON, **bearer(credential), "idempotency-key": key}
    )


async def two_holders(service: InProcess) -> tuple[NewKey, NewKey]:
    """Return the ended key of one holder of a name, who wrote an item, and the key of the next."""
    database = service.services.database
    first = await make_key(database, "alice")
    assert (await create_pen(service, first.text, "order-1")).status_code == 201
    await database.write(partial(store.revoke, key_id=first.key.id, by="admin"))
    second = await make_key(database, "alice")
    as_read(service)
    return first, second


async def test_events_say_by_which_credential_and_are_filtered_by_it(service: InProcess) -> None:
    first, second = await two_holders(service)
    await create_pen(service, second.text, "order-2")
    client, shown = service.client, bearer(second.text)
    both = (await client.get("/events?actor=alice", headers=shown)).json()
    assert [event["credential"] for event in both] == [f"key:{first.key.id}", f"key:{second.key.id}"]
    for path in ("/events", "/events/export"):
        answer = await client.get(f"{path}?credential=key:{first.key.id}", headers=shown)
        found = [json.loads(line) for line in answer.text.splitlines()] if "export" in path else answer.json()
        assert found == both[:1]
    (version,) = (await client.get(f"/audit/items/{both[1]['item_id']}", headers=shown)).json()
    assert (version["actor"], version["credential"]) == ("alice", f"key:{second.key.id}")
    (cloud,) = (await client.get("/events/export?format=cloudevents&after=1", headers=shown)).json()
    assert cloud["credential"] == f"key:{second.key.id}"


async def test_the_next_holder_of_a_name_does_not_get_the_answers_of_the_one_before(service: InProcess) -> None:
    _, second = await two_holders(service)
    answer = await create_pen(service, second.text, "order-1")
    assert (answer.status_code, answer.json()["id"]) == (201, 2)
    assert "idempotency-replayed" not in answer.headers


async def test_a_rotated_key_gets_the_answers_of_the_keys_before_it(service: InProcess) -> None:
    key = await make_key(service.services.database, "alice")
    first = await create_pen(service, key.text, "order-1")
    for _ in range(2):
        rotate = partial(store.rotate, key_id=key.key.id, overlap=0, lifetime=None, by="admin")
        key = await service.services.database.write(rotate)
        as_read(service)
        again = await create_pen(service, key.text, "order-1")
        assert (again.status_code, again.text, again.headers["idempotency-replayed"]) == (201, first.text, "true")


async def test_creating_a_key_for_a_name_that_had_one_says_so(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(usage, "audit", lines)
    database = service.services.database
    admin = await make_key(database, "admin", *Scope)
    as_read(service)
    by_admin = {**bearer(admin.text)}
    alice = {"name": "alice", "scopes": ["items:read"]}
    first = (await service.client.post("/keys", json=alice, headers=by_admin)).json()
    assert (first["earlier_keys"], first["original_id"]) == ([], first["id"])
    rotated = (await service.client.post(f"/keys/{first['id']}/rotate", json={"overlap": 0}, headers=by_admin)).json()
    assert (rotated["earlier_keys"], rotated["original_id"]) == ([], first["id"])
    assert (await service.client.delete(f"/keys/{rotated['id']}", headers=by_admin)).status_code == 204
    second = (await service.client.post("/keys", json=alice, headers=by_admin)).json()
    assert second["earlier_keys"] == [first["id"], rotated["id"]]
    assert second["original_id"] == second["id"]
    listed = (await service.client.get("/keys?ended=true", headers=by_admin)).json()
    shown = {key["id"]: (key["created_by_credential"], key["revoked_by_credential"]) for key in listed}
    by = f"key:{admin.key.id}"
    assert shown == {
        admin.key.id: (None, None),
        first["id"]: (by, None),
        rotated["id"]: (by, by),
        second["id"]: (by, None),
    }
    logged = [(*line.args, line.kwargs["by"], line.kwargs["credential"]) for line in lines.calls]
    assert logged == [(f"API key {change}", "admin", by) for change in ("created", "rotated", "revoked", "created")]
    assert [line.kwargs.get("earlier_keys") for line in lines.calls] == [None, None, None, [first["id"], rotated["id"]]]


def test_the_command_says_so_too(database_url: str) -> None:
    process(database_url, "migrate")
    first = process(database_url, "keys", "create", "alice", "--scope", "items:read", "--json")
    assert "had keys before" not in first.stderr
    old = json.loads(first.stdout)
    assert process(database_url, "keys", "revoke", old["id"]).returncode == 0
    second = process(database_url, "keys", "create", "alice", "--scope", "items:read", "--json")
    new = json.loads(second.stdout)
    assert (new["earlier_keys"], new["original_id"]) == ([old["id"]], new["id"])
    line, note = second.stderr.splitlines()
    assert json.loads(line)["earlier_keys"] == [old["id"]]
    assert note.startswith(f"Note: alice had keys before ({old['id']}). ")
    assert note.endswith(f"those of the new key have key:{new['id']}.")
