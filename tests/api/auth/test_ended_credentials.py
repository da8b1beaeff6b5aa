"""Credentials that have ended: they change no keys. And a database that had a key asks for credentials for ever."""

import pytest
from sqlalchemy.exc import IntegrityError

from api.auth.api_keys import store
from api.auth.scopes import Scope
from eventstore.database.database import Database
from migrations import triggers
from tests.eventstore.recording import execute
from tests.support.clients.http import check_problem
from tests.support.clients.keys import as_read, bearer, make_key
from tests.support.service import InProcess

_READER = {"name": "reader", "scopes": ["items:read"]}
_NO_TRIGGER = {
    "sqlite": "DROP TRIGGER api_keys_no_delete",
    "postgresql": "ALTER TABLE api_keys DISABLE TRIGGER ALL",
}


@pytest.mark.parametrize("ending", ["revoked_at = 1", "expires_at = 1"])
async def test_an_ended_key_changes_no_keys_while_the_cache_still_has_it(service: InProcess, ending: str) -> None:
    database = service.services.database
    admin, other = await make_key(database, "admin"), await make_key(database, "other")
    as_read(service)
    service.client.headers.update(bearer(admin.text))
    assert (await service.client.get("/keys")).status_code == 200
    as_read(service, for_ever=True)  # as within its second
    async with service.owner() as owner:
        await execute(owner, f"UPDATE api_keys SET {ending} WHERE id = '{admin.key.id}'")
    before = await database.read_transaction(store.read_all)
    for answer in (
        await service.client.post("/keys", json=_READER),
        await service.client.post(f"/keys/{other.key.id}/rotate", json={}),
        await service.client.delete(f"/keys/{other.key.id}"),
    ):
        check_problem(answer, 401, "credential-invalid")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert await database.read_transaction(store.read_all) == before


async def test_without_a_credential_only_the_first_key_can_be_created(service: InProcess) -> None:
    as_read(service, for_ever=True)  # another process creates a key, and this one has not read it yet
    assert (await service.client.get("/items")).status_code == 200
    as_read(service, for_ever=True)
    key = await make_key(service.services.database, "admin")
    check_problem(await service.client.post("/keys", json=_READER), 401, "credential-invalid")
    check_problem(await service.client.delete(f"/keys/{key.key.id}"), 401, "credential-invalid")
    assert [key.key] == await service.services.database.read_transaction(store.read_all)


async def test_a_database_that_ever_had_a_key_asks_for_credentials_for_ever(database_url: str) -> None:
    async with InProcess.over(database_url) as running:
        await make_key(running.services.database, "admin")
        async with running.owner() as owner:
            for statement in (_NO_TRIGGER[owner.url.get_backend_name()], "DELETE FROM api_keys"):
                await execute(owner, statement)
            await owner.write(triggers.restore)
        as_read(running)
        check_problem(await running.client.get("/items"), 401, "credential-required")
    async with InProcess.over_as_it_is(running.url) as another:
        check_problem(await another.client.get("/items"), 401, "credential-required")
        check_problem(await another.client.post("/keys", json=_READER), 401, "credential-required")


@pytest.mark.parametrize("table", ["api_keys", "first_api_key"])
async def test_the_database_refuses_to_delete_keys(database: Database, table: str) -> None:
    await make_key(database, "shop", Scope.ITEMS_READ)
    statements = [f"DELETE FROM {table}"]
    if database.url.get_backend_name() == "postgresql":
        statements += [f"TRUNCATE {table}", f"SET session_replication_role = replica; DELETE FROM {table}"]
    for statement in statements:
        with pytest.raises(IntegrityError, match="API keys are kept for ever"):
            await execute(database, *statement.split("; "))
