"""API keys in the table and in the cache: created, rotated, revoked, and how soon each process sees it."""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Executable, func, select
from structlog.testing import CapturingLogger

from api.auth.api_keys import cache, store, usage
from api.auth.api_keys.cache import ApiKeyCache
from api.auth.api_keys.format import ParsedKey, new_key, read_key
from api.auth.api_keys.store import KeyChangeError, KeyEndedError, NameTakenError, NewKey
from api.auth.api_keys.table import ApiKey, api_keys
from api.auth.api_keys.usage import KeyUsage
from api.auth.principal import CredentialError, Principal
from api.auth.scopes import Scope
from eventstore.clock import now
from eventstore.database.database import Database
from eventstore.errors import UnavailableError
from tests.eventstore.recording import execute, opened
from tests.support.clients.keys import HOUR, make_key


def parsed(text: str) -> ParsedKey:
    key = read_key(text.encode())
    assert key is not None
    return key


async def rejection_of(keys: ApiKeyCache, text: str) -> str:
    with pytest.raises(CredentialError) as caught:
        await keys.find(parsed(text))
    assert caught.value.key_id == text[4:12]
    return caught.value.reason


async def all_keys(database: Database) -> list[ApiKey]:
    return await database.read_transaction(store.read_all)


async def revoke(database: Database, key: NewKey, by: str = "shell:root") -> ApiKey:
    return await database.write(partial(store.revoke, key_id=key.key.id, by=by))


async def rotate(database: Database, key: NewKey, overlap: int = HOUR, lifetime: int | None = None) -> NewKey:
    return await database.write(
        partial(store.rotate, key_id=key.key.id, overlap=overlap, lifetime=lifetime, by="shell:root")
    )


@pytest.fixture
def readings(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every SELECT that the database runs after the test has begun."""
    read = database.read
    seen: list[str] = []

    async def counted(statement: Executable, *parameters: Any) -> Any:
        seen.append(str(statement))
        return await read(statement, *parameters)

    monkeypatch.setattr(database, "read", counted)
    return seen


async def test_a_new_key_authenticates_its_holder_with_its_scopes(database: Database) -> None:
    keys = ApiKeyCache(database)
    assert await keys.is_empty()
    assert not await keys.has_active_key()
    new = await make_key(database, "shop", Scope.ITEMS_WRITE, Scope.ITEMS_READ, Scope.ITEMS_READ)
    assert await keys.find(parsed(new.text)) == Principal(
        "shop",
        frozenset({Scope.ITEMS_READ, Scope.ITEMS_WRITE}),
        credential=f"key:{new.key.id}",
        original_credential=f"key:{new.key.id}",
        key_id=new.key.id,
        expires_at=(new.key.created_at + HOUR) / 1e6,
    )
    assert await keys.has_active_key()
    assert await all_keys(database) == [new.key]


async def test_the_secret_is_not_stored(database: Database) -> None:
    new = await make_key(database)
    row = (await database.read(select(api_keys)))[0]
    assert row.digest == parsed(new.text).digest
    assert new.text[13:] not in repr(row)
    assert new.text[13:] not in repr(ApiKeyCache(database).__dict__)


async def test_a_wrong_secret_and_an_unknown_id_have_the_same_error_and_queries(
    database: Database, readings: list[str]
) -> None:
    new = await make_key(database)
    keys = ApiKeyCache(database)
    await keys.find(parsed(new.text))
    known_id = ParsedKey(new.key.id, bytes(32))
    queries = []
    for key in (known_id, parsed(new_key()), known_id._replace(digest=parsed(new.text).digest[::-1])):
        readings.clear()
        with pytest.raises(CredentialError, match="unknown key"):
            await keys.find(key)
        queries.append(list(readings))
    assert queries[0] == queries[1] == queries[2] != []


async def test_a_revoked_key_is_rejected_within_a_second(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.FRESH_SECONDS == 1.0, "the docs say a second"
    async with opened(database_url) as another:
        here, there = ApiKeyCache(database), ApiKeyCache(another)
        new = await make_key(database)
        for keys in (here, there):
            await keys.find(parsed(new.text))
        ended = await revoke(database, new)
        assert (ended.revoked_by, await all_keys(database)) == ("shell:root", [ended])
        monkeypatch.setattr(cache, "FRESH_SECONDS", 0.0)
        for keys in (here, there):
            assert await rejection_of(keys, new.text) == "revoked key"
            assert not await keys.has_active_key()
            assert not await keys.is_empty(), "authentication stays on after the last key"


async def test_a_fresh_cache_runs_no_query(database: Database, readings: list[str]) -> None:
    new = await make_key(database)
    keys = ApiKeyCache(database)
    await keys.find(parsed(new.text))
    readings.clear()
    keys._read_at = monotonic() + 3600
    for _ in range(100):
        await keys.find(parsed(new.text))
    assert readings == []


async def test_many_unknown_keys_cause_few_queries(
    database: Database, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds

    monkeypatch.setattr(cache, "monotonic", lambda: slept)  # no time passes but that which the cache sleeps
    monkeypatch.setattr(cache, "asyncio", SimpleNamespace(sleep=sleep))
    keys = ApiKeyCache(database)
    results: list[object] = []
    for _ in range(2):
        results += await asyncio.gather(*(keys.find(parsed(new_key())) for _ in range(200)), return_exceptions=True)
    assert {type(error) for error in results} == {CredentialError}
    assert 0 < len(readings) <= 4 + slept / cache._READ_PAUSE_SECONDS <= 10


async def test_a_key_expires(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    short, endless = await make_key(database, "short", lifetime=HOUR), await make_key(database, "endless", lifetime=0)
    keys = ApiKeyCache(database)
    assert (await keys.find(parsed(endless.text))).expires_at is None
    monkeypatch.setattr(cache, "now", lambda: short.key.created_at + HOUR - 1)
    await keys.find(parsed(short.text))
    monkeypatch.setattr(cache, "now", lambda: short.key.created_at + HOUR)
    assert await rejection_of(keys, short.text) == "expired key"
    await keys.find(parsed(endless.text))


async def test_after_a_rotation_two_keys_are_active_and_then_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await make_key(database, "shop", Scope.ITEMS_READ, lifetime=90 * HOUR)
    new = await rotate(database, old, overlap=HOUR)
    keys = ApiKeyCache(database)
    principals = [await keys.find(parsed(key.text)) for key in (old, new)]
    assert {(principal.actor, principal.scopes) for principal in principals} == {
        ("shop", frozenset({Scope.ITEMS_READ}))
    }
    assert new.key.expires_at == new.key.created_at + 90 * HOUR, "the lifetime of the old key"
    kept = {key.id: key for key in await all_keys(database)}
    assert kept[old.key.id].expires_at == new.key.created_at + HOUR
    assert kept[old.key.id].replaced_by == new.key.id
    monkeypatch.setattr(cache, "now", lambda: new.key.created_at + HOUR)
    assert await rejection_of(keys, old.text) == "expired key"
    await keys.find(parsed(new.text))


async def test_rotation_never_extends_a_key(database: Database) -> None:
    old = await make_key(database, lifetime=HOUR)
    await rotate(database, old, overlap=1000 * HOUR, lifetime=0)
    kept = {key.id: key for key in await all_keys(database)}
    assert kept[old.key.id].expires_at == old.key.expires_at


async def test_a_rotated_key_cannot_be_rotated_again_but_can_be_revoked(database: Database) -> None:
    old = await make_key(database, lifetime=90 * HOUR)
    new = await rotate(database, old)
    with pytest.raises(KeyEndedError, match=f"{old.key.id} was already replaced, by {new.key.id}"):
        await rotate(database, old)
    assert (await revoke(database, old)).revoked_by == "shell:root"


async def test_a_name_can_be_reused_only_without_an_active_key(database: Database) -> None:
    first = await make_key(database, "shop")
    with pytest.raises(KeyChangeError, match=f"shop already has an active key, {first.key.id}"):
        await make_key(database, "shop")
    await revoke(database, first)
    again = await make_key(database, "shop")
    assert [key.id for key in await all_keys(database)] == [first.key.id, again.key.id]


async def test_of_concurrent_creations_for_one_name_one_succeeds(database: Database, database_url: str) -> None:
    async with opened(database_url) as one, opened(database_url) as two, opened(database_url) as three:
        for database in (one, two, three):
            await database.read(select(func.count()).select_from(api_keys))  # connected
        made = await asyncio.gather(*(make_key(at, "shop") for at in (one, two, three)), return_exceptions=True)
        assert [type(result) for result in made].count(NewKey) == 1
        assert {type(result) for result in made} == {NewKey, NameTakenError}
        assert len(await all_keys(one)) == 1


async def test_of_concurrent_revocations_one_succeeds_and_is_seen(database: Database, database_url: str) -> None:
    key = await make_key(database)
    keys = ApiKeyCache(database)
    await keys.find(parsed(key.text))
    async with opened(database_url) as another:
        ended = await asyncio.gather(
            *(revoke(at, key, by) for at, by in ((database, "shell:a"), (another, "shell:b"))), return_exceptions=True
        )
    assert {type(result) for result in ended} == {ApiKey, KeyEndedError}
    keys._read_at = float("-inf")
    assert await rejection_of(keys, key.text) == "revoked key"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (partial(store.revoke, key_id="00000000", by="x"), "No API key has the id 00000000"),
        (partial(store.rotate, key_id="00000000", overlap=0, lifetime=None, by="x"), "No API key has the id 00000000"),
    ],
)
async def test_an_unknown_key_cannot_be_changed(
    database: Database, change: Callable[[Connection], object], why: str
) -> None:
    with pytest.raises(KeyChangeError, match=why):
        await database.write(change)


async def test_a_revoked_or_expired_key_cannot_be_changed(database: Database) -> None:
    revoked, expired = await make_key(database, "a"), await make_key(database, "b", lifetime=1)
    await revoke(database, revoked)
    for key, why in ((revoked, "was revoked"), (expired, "has expired")):
        with pytest.raises(KeyChangeError, match=f"{key.key.id} {why}"):
            await revoke(database, key)
        with pytest.raises(KeyChangeError, match=f"{key.key.id} {why}"):
            await rotate(database, key)


async def test_an_unknown_scope_grants_nothing(database: Database) -> None:
    new = await make_key(database, "shop", Scope.ITEMS_READ)
    await execute(database, "UPDATE api_keys SET scopes = 'items:read items:burn', revision = revision + 1")
    assert (await ApiKeyCache(database).find(parsed(new.text))).scopes == {Scope.ITEMS_READ}


async def test_without_a_database_no_key_is_accepted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    new = await make_key(database)
    keys = ApiKeyCache(database)
    await keys.find(parsed(new.text))

    async def lost(*_: object) -> None:
        raise UnavailableError

    monkeypatch.setattr(database, "read", lost)
    keys._read_at = float("-inf")
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await keys.find(parsed(new.text))
    monkeypatch.undo()
    await keys.find(parsed(new.text))


async def test_uses_are_saved_together_and_change_nothing_else(database: Database, readings: list[str]) -> None:
    used, unused = await make_key(database, "used"), await make_key(database, "unused")
    keys = ApiKeyCache(database)
    await keys.find(parsed(used.text))
    key_usage = KeyUsage(database)
    async with key_usage.saving():
        for _ in range(3):
            key_usage.record(used.key.id)
        assert [key.last_used_at for key in await all_keys(database)] == [None, None]
    kept = {key.id: key.last_used_at for key in await all_keys(database)}
    assert kept[unused.key.id] is None
    assert used.key.created_at <= (kept[used.key.id] or 0) <= now()
    # A later use that another process saved is kept.
    await database.write(partial(store.save_uses, uses={used.key.id: 1}))
    assert {key.id: key.last_used_at for key in await all_keys(database)} == kept
    readings.clear()
    keys._read_at = float("-inf")
    await keys.find(parsed(used.text))
    assert len(readings) == 1, "a use does not make other processes read all keys again"


async def test_uses_are_saved_at_intervals(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    new = await make_key(database)
    key_usage, saved = KeyUsage(database), asyncio.Event()
    save = key_usage.save

    async def save_and_signal() -> None:
        await save()
        saved.set()

    monkeypatch.setattr(key_usage, "save", save_and_signal)
    async with key_usage.saving(interval=0.01), asyncio.timeout(300):
        key_usage.record(new.key.id)
        saved.clear()
        await saved.wait()
        assert (await all_keys(database))[0].last_used_at is not None


async def test_a_failed_save_of_uses_is_only_logged(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(usage, "log", lines)
    key_usage = KeyUsage(database)
    for error in (UnavailableError(), RuntimeError("broken")):

        async def fail(_work: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(database, "write", fail)
        key_usage.record("00000000")
        await key_usage.save()
    assert [(line.method_name, *line.args) for line in lines.calls] == [
        ("exception", "could not save API key last-used times")
    ]
