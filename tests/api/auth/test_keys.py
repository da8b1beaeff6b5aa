"""API keys in their table and in a process: made, replaced, ended, and how soon everybody knows."""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, Executable, func, select
from structlog.testing import CapturingLogger

from api.auth.api_keys import cache, usage
from api.auth.api_keys import store as key_table
from api.auth.api_keys.cache import ApiKeyCache
from api.auth.api_keys.format import ParsedKey, new_key, read_key
from api.auth.api_keys.store import ApiKey, KeyChangeError, KeyEndedError, NameTakenError, NewKey, api_keys, now
from api.auth.api_keys.usage import KeyUsage
from api.auth.principal import CredentialError, Principal
from api.auth.scopes import Scope
from eventstore.database.database import Database
from eventstore.errors import UnavailableError
from tests.eventstore.recording import execute, opened
from tests.support.clients.keys import HOUR, make_key


def shown(text: str) -> ParsedKey:
    presented = read_key(text.encode())
    assert presented is not None
    return presented


async def refusal(ring: ApiKeyCache, text: str) -> str:
    with pytest.raises(CredentialError) as caught:
        await ring.find(shown(text))
    assert caught.value.key_id == text[4:12]
    return caught.value.reason


async def all_keys(database: Database) -> list[ApiKey]:
    return await database.read_transaction(key_table.read_all)


async def revoke(database: Database, key: NewKey, by: str = "shell:root") -> ApiKey:
    return await database.write(partial(key_table.revoke, key_id=key.key.id, by=by))


async def rotate(database: Database, key: NewKey, overlap: int = HOUR, lifetime: int | None = None) -> NewKey:
    return await database.write(
        partial(key_table.rotate, key_id=key.key.id, overlap=overlap, lifetime=lifetime, by="shell:root")
    )


@pytest.fixture
def readings(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every SELECT that the database runs from now on."""
    read = database.read
    seen: list[str] = []

    async def noted(statement: Executable, *parameters: Any) -> Any:
        seen.append(str(statement))
        return await read(statement, *parameters)

    monkeypatch.setattr(database, "read", noted)
    return seen


async def test_a_new_key_lets_its_holder_in_with_its_scopes(database: Database) -> None:
    ring = ApiKeyCache(database)
    assert await ring.is_empty()
    assert not await ring.has_good_key()
    new = await make_key(database, "shop", Scope.ITEMS_WRITE, Scope.ITEMS_READ, Scope.ITEMS_READ)
    assert await ring.find(shown(new.text)) == Principal(
        "shop", frozenset({Scope.ITEMS_READ, Scope.ITEMS_WRITE}), new.key.id, (new.key.created_at + HOUR) / 1e6
    )
    assert await ring.has_good_key()
    assert await all_keys(database) == [new.key]


async def test_what_is_stored_does_not_have_the_secret(database: Database) -> None:
    new = await make_key(database)
    row = (await database.read(select(api_keys)))[0]
    assert row.digest == shown(new.text).digest
    assert new.text[13:] not in repr(row)
    assert new.text[13:] not in repr(ApiKeyCache(database).__dict__)


async def test_a_wrong_secret_and_an_id_that_nobody_has_are_told_alike_and_take_the_same_way(
    database: Database, readings: list[str]
) -> None:
    new = await make_key(database)
    ring = ApiKeyCache(database)
    await ring.find(shown(new.text))
    known_id = ParsedKey(new.key.id, bytes(32))
    ways = []
    for presented in (known_id, shown(new_key()), known_id._replace(digest=shown(new.text).digest[::-1])):
        readings.clear()
        with pytest.raises(CredentialError, match="unknown key"):
            await ring.find(presented)
        ways.append(list(readings))
    assert ways[0] == ways[1] == ways[2] != []


async def test_a_key_is_good_no_longer_within_a_second_of_its_revocation(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.FRESH_SECONDS == 1.0, "the docs say a second"
    async with opened(database_url) as another:
        here, there = ApiKeyCache(database), ApiKeyCache(another)
        new = await make_key(database)
        for ring in (here, there):
            await ring.find(shown(new.text))
        ended = await revoke(database, new)
        assert (ended.revoked_by, await all_keys(database)) == ("shell:root", [ended])
        monkeypatch.setattr(cache, "FRESH_SECONDS", 0.0)
        for ring in (here, there):
            assert await refusal(ring, new.text) == "revoked key"
            assert not await ring.has_good_key()
            assert not await ring.is_empty(), "a door that was closed once does not open again"


async def test_a_fresh_ring_asks_the_database_nothing(database: Database, readings: list[str]) -> None:
    new = await make_key(database)
    ring = ApiKeyCache(database)
    await ring.find(shown(new.text))
    readings.clear()
    ring._read_at = monotonic() + 3600
    for _ in range(100):
        await ring.find(shown(new.text))
    assert readings == []


async def test_many_who_show_keys_that_are_none_cause_few_queries(database: Database, readings: list[str]) -> None:
    ring = ApiKeyCache(database)
    began = monotonic()
    found = await asyncio.gather(*(ring.find(shown(new_key())) for _ in range(200)), return_exceptions=True)
    found += await asyncio.gather(*(ring.find(shown(new_key())) for _ in range(200)), return_exceptions=True)
    assert {type(error) for error in found} == {CredentialError}
    assert len(readings) <= 4 + (monotonic() - began) / cache._PAUSE_SECONDS


async def test_a_key_expires(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    short, endless = await make_key(database, "short", lifetime=HOUR), await make_key(database, "endless", lifetime=0)
    ring = ApiKeyCache(database)
    assert (await ring.find(shown(endless.text))).expires_at is None
    monkeypatch.setattr(cache, "now", lambda: short.key.created_at + HOUR - 1)
    await ring.find(shown(short.text))
    monkeypatch.setattr(cache, "now", lambda: short.key.created_at + HOUR)
    assert await refusal(ring, short.text) == "expired key"
    await ring.find(shown(endless.text))


async def test_rotation_leaves_two_that_are_good_and_then_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await make_key(database, "shop", Scope.ITEMS_READ, lifetime=90 * HOUR)
    new = await rotate(database, old, overlap=HOUR)
    ring = ApiKeyCache(database)
    principals = [await ring.find(shown(key.text)) for key in (old, new)]
    assert {(principal.actor, principal.scopes) for principal in principals} == {
        ("shop", frozenset({Scope.ITEMS_READ}))
    }
    assert new.key.expires_at == new.key.created_at + 90 * HOUR, "as long as the old one was made for"
    kept = {key.id: key for key in await all_keys(database)}
    assert kept[old.key.id].expires_at == new.key.created_at + HOUR
    assert kept[old.key.id].replaced_by == new.key.id
    monkeypatch.setattr(cache, "now", lambda: new.key.created_at + HOUR)
    assert await refusal(ring, old.text) == "expired key"
    await ring.find(shown(new.text))


async def test_rotation_never_makes_a_key_good_for_longer(database: Database) -> None:
    old = await make_key(database, lifetime=HOUR)
    await rotate(database, old, overlap=1000 * HOUR, lifetime=0)
    kept = {key.id: key for key in await all_keys(database)}
    assert kept[old.key.id].expires_at == old.key.expires_at


async def test_a_key_that_was_replaced_is_not_replaced_again_but_can_be_ended(database: Database) -> None:
    old = await make_key(database, lifetime=90 * HOUR)
    new = await rotate(database, old)
    with pytest.raises(KeyEndedError, match=f"{old.key.id} was replaced already, by {new.key.id}"):
        await rotate(database, old)
    assert (await revoke(database, old)).revoked_by == "shell:root"


async def test_a_name_has_one_holder_and_can_be_given_again_when_none_is_good(database: Database) -> None:
    first = await make_key(database, "shop")
    with pytest.raises(KeyChangeError, match=f"shop has a key that is good, {first.key.id}"):
        await make_key(database, "shop")
    await revoke(database, first)
    again = await make_key(database, "shop")
    assert [key.id for key in await all_keys(database)] == [first.key.id, again.key.id]


async def test_of_many_who_make_a_key_for_one_name_at_once_one_does(database: Database, database_url: str) -> None:
    async with opened(database_url) as one, opened(database_url) as two, opened(database_url) as three:
        for database in (one, two, three):
            await database.read(select(func.count()).select_from(api_keys))  # connected
        made = await asyncio.gather(*(make_key(at, "shop") for at in (one, two, three)), return_exceptions=True)
        assert [type(result) for result in made].count(NewKey) == 1
        assert {type(result) for result in made} == {NewKey, NameTakenError}
        assert len(await all_keys(one)) == 1


async def test_changes_of_one_key_at_once_are_all_seen_and_end_it_once(database: Database, database_url: str) -> None:
    key = await make_key(database)
    ring = ApiKeyCache(database)
    await ring.find(shown(key.text))
    async with opened(database_url) as another:
        ended = await asyncio.gather(
            *(revoke(at, key, by) for at, by in ((database, "shell:a"), (another, "shell:b"))), return_exceptions=True
        )
    assert {type(result) for result in ended} == {ApiKey, KeyEndedError}
    ring._read_at = float("-inf")
    assert await refusal(ring, key.text) == "revoked key"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (partial(key_table.revoke, key_id="00000000", by="x"), "There is no key 00000000"),
        (partial(key_table.rotate, key_id="00000000", overlap=0, lifetime=None, by="x"), "There is no key 00000000"),
    ],
)
async def test_a_key_that_is_not_there_can_not_be_changed(
    database: Database, change: Callable[[Connection], object], why: str
) -> None:
    with pytest.raises(KeyChangeError, match=why):
        await database.write(change)


async def test_an_ended_key_can_not_be_changed(database: Database) -> None:
    revoked, expired = await make_key(database, "a"), await make_key(database, "b", lifetime=1)
    await revoke(database, revoked)
    for key, why in ((revoked, "was revoked"), (expired, "has expired")):
        with pytest.raises(KeyChangeError, match=f"{key.key.id} {why}"):
            await revoke(database, key)
        with pytest.raises(KeyChangeError, match=f"{key.key.id} {why}"):
            await rotate(database, key)


async def test_a_scope_that_only_a_newer_version_knows_gives_no_right(database: Database) -> None:
    new = await make_key(database, "shop", Scope.ITEMS_READ)
    await execute(database, "UPDATE api_keys SET scopes = 'items:read items:burn', revision = revision + 1")
    assert (await ApiKeyCache(database).find(shown(new.text))).scopes == {Scope.ITEMS_READ}


async def test_without_a_database_nobody_is_let_in(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    new = await make_key(database)
    ring = ApiKeyCache(database)
    await ring.find(shown(new.text))

    async def lost(*_: object) -> None:
        raise UnavailableError

    monkeypatch.setattr(database, "read", lost)
    ring._read_at = float("-inf")
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await ring.find(shown(new.text))
    monkeypatch.undo()
    await ring.find(shown(new.text))


async def test_uses_are_stored_together_and_change_nothing_else(database: Database, readings: list[str]) -> None:
    used, unused = await make_key(database, "used"), await make_key(database, "unused")
    ring = ApiKeyCache(database)
    await ring.find(shown(used.text))
    uses = KeyUsage(database)
    async with uses.kept():
        for _ in range(3):
            uses.note(used.key.id)
        assert [key.last_used_at for key in await all_keys(database)] == [None, None]
    kept = {key.id: key.last_used_at for key in await all_keys(database)}
    assert kept[unused.key.id] is None
    assert used.key.created_at <= (kept[used.key.id] or 0) <= now()
    # What another process noted later stays.
    await database.write(partial(key_table.note_uses, uses={used.key.id: 1}))
    assert {key.id: key.last_used_at for key in await all_keys(database)} == kept
    readings.clear()
    ring._read_at = float("-inf")
    await ring.find(shown(used.text))
    assert len(readings) == 1, "uses do not make every process read all keys anew"


async def test_uses_are_stored_now_and_then_while_it_runs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    new = await make_key(database)
    uses, stored = KeyUsage(database), asyncio.Event()
    store = uses.store

    async def noted() -> None:
        await store()
        stored.set()

    monkeypatch.setattr(uses, "store", noted)
    async with uses.kept(interval=0.01), asyncio.timeout(300):
        uses.note(new.key.id)
        await stored.wait()
        assert (await all_keys(database))[0].last_used_at is not None


async def test_uses_that_can_not_be_stored_stop_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(usage, "log", lines)
    uses = KeyUsage(database)
    for error in (UnavailableError(), RuntimeError("broken")):

        async def fail(_work: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(database, "write", fail)
        uses.note("00000000")
        await uses.store()
    assert [(line.method_name, *line.args) for line in lines.calls] == [
        ("exception", "the uses of keys were not stored")
    ]
