"""`/me` describes the credential of its own request, and nothing else."""

import time
from pathlib import Path

import pytest

from api.auth.api_keys import store
from api.auth.jwt.jwks_source import JwksSource
from api.auth.scopes import Scope
from api.http.rfc3339 import format_time
from tests.api.conftest import judged
from tests.support.clients.http import call, check_problem, part
from tests.support.clients.issuer import AUDIENCE, ISSUER, claims, published, signed
from tests.support.clients.keys import HOUR, as_read, bearer, make_key
from tests.support.service import InProcess


async def test_while_no_credential_is_required_it_says_so(service: InProcess) -> None:
    answer = await service.client.get("/me")
    assert answer.json() == {
        "actor": "anonymous",
        "credential": None,
        "scopes": [*Scope],
        "expires_at": None,
        "credential_required": False,
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_it_describes_a_key_and_shows_no_secret(service: InProcess) -> None:
    key = await make_key(service.services.database, "shop", Scope.KEYS_ADMIN, Scope.ITEMS_READ)
    as_read(service)
    answer = await service.client.get("/me", headers=bearer(key.text))
    state = await service.client.get(f"/keys/{key.key.id}", headers=bearer(key.text))
    assert answer.json() == {
        "actor": "shop",
        "credential": f"key:{key.key.id}",
        "scopes": ["items:read", "keys:admin"],
        "expires_at": state.json()["expires_at"],  # to the microsecond
        "credential_required": True,
    }
    assert state.json()["expires_at"] is not None
    assert answer.headers["cache-control"] == "no-store"
    assert key.text.rpartition("_")[2] not in answer.text


async def test_a_key_without_expiry_has_none(service: InProcess) -> None:
    key = await make_key(service.services.database, "shop", Scope.ITEMS_READ, lifetime=0)
    as_read(service)
    assert (await service.client.get("/me", headers=bearer(key.text))).json()["expires_at"] is None


async def test_a_key_that_was_replaced_expires_with_its_overlap(service: InProcess) -> None:
    database = service.services.database
    old = await make_key(database, "shop", lifetime=0)
    new = await database.write(lambda connection: store.rotate(connection, old.key.id, HOUR, None, "test"))
    as_read(service)
    of_old, of_new = [(await service.client.get("/me", headers=bearer(key.text))).json() for key in (old, new)]
    assert of_old["expires_at"] == format_time(new.key.created_at + HOUR)
    assert of_new["expires_at"] is None
    assert (of_old["actor"], of_old["credential"]) == ("shop", f"key:{old.key.id}")
    assert (of_new["actor"], of_new["credential"]) == ("shop", f"key:{new.key.id}")


async def test_once_a_key_exists_every_other_request_is_refused(service: InProcess) -> None:
    database = service.services.database
    revoked = await make_key(database, "former")
    await database.write(lambda connection: store.revoke(connection, revoked.key.id, "test"))
    expired = await make_key(database, "late", lifetime=1)
    good = await make_key(database, "shop")
    as_read(service)
    check_problem(await service.client.get("/me"), 401, "credential-required")
    wrong = [
        *(f"Bearer {text}" for text in (revoked.text, expired.text, good.text + "x", signed(), "nonsense")),
        *(f"Basic {good.text}", good.text, f"Bearer {good.text}, Bearer {good.text}", ""),
    ]
    for authorization in wrong:
        answer = await service.client.get("/me", headers={"authorization": authorization})
        check_problem(answer, 401, "credential-invalid")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await service.client.get("/me", headers=bearer(good.text))).status_code == 200


async def test_a_key_is_described_until_it_is_revoked(service: InProcess) -> None:
    database = service.services.database
    key = await make_key(database, "shop", Scope.ITEMS_READ)
    as_read(service)
    assert (await service.client.get("/me", headers=bearer(key.text))).status_code == 200
    await database.write(lambda connection: store.revoke(connection, key.key.id, "test"))
    as_read(service)
    check_problem(await service.client.get("/me", headers=bearer(key.text)), 401, "credential-invalid")
    check_problem(await service.client.get("/me"), 401, "credential-required")


async def test_a_remote_client_is_told_that_a_credential_is_required(small: InProcess) -> None:
    answer = await call(small.app, "GET", "/me", part(b""), client=("203.0.113.7", 1))
    assert answer is not None
    check_problem(answer, 401, "credential-required")


async def test_it_describes_an_access_token(database_url: str, tmp_path: Path) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_bytes(published(("RS256", "one")))
    issuer = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks": JwksSource(str(keys))}
    async with InProcess.over(database_url, **issuer) as running:
        client = judged(running).client
        payload = claims(sub="alice", scope="events:read openid items:read", exp=int(time.time()) + 600)
        token = signed(payload)
        described = await client.get("/me", headers=bearer(token))
        assert described.json() == {
            "actor": "jwt:alice",
            "credential": f"jwt:{ISSUER}",
            "scopes": ["items:read", "events:read"],
            "expires_at": format_time((payload["exp"] + 30) * 1_000_000),
            "credential_required": True,
        }
        assert token.rpartition(".")[2] not in described.text
        check_problem(await client.get("/me"), 401, "credential-required")
        expired = bearer(signed(claims(exp=int(time.time()) - 60)))
        check_problem(await client.get("/me", headers=expired), 401, "credential-invalid")


@pytest.mark.parametrize("exp", [10**11, 10**15, 10**18])
async def test_a_token_that_lasts_for_ages_is_described_too(sqlite_url: str, tmp_path: Path, exp: int) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_bytes(published(("RS256", "one")))
    issuer = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks": JwksSource(str(keys))}
    async with InProcess.over(sqlite_url, **issuer) as running:
        answer = await judged(running).client.get("/me", headers=bearer(signed(claims(exp=exp))))
        assert answer.status_code == 200
