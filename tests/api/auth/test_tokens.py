"""Access tokens: valid tokens name their holder, and no known attack gets an invalid one accepted."""

import time
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from api.auth.jwt import verifier
from api.auth.jwt.jwks import IssuerKeys
from api.auth.jwt.jwks_source import JwksSource
from api.auth.jwt.verifier import JwtVerifier
from api.auth.principal import CredentialError, Principal
from api.auth.scopes import Scope
from eventstore.log.tables import events
from tests.api.auth.attacks import ATTACKS, unpadded
from tests.support.clients.http import check_problem
from tests.support.clients.issuer import AUDIENCE, ISSUER, claims, published, signed
from tests.support.clients.keys import bearer, make_key
from tests.support.service import InProcess

KEYS = (("RS256", "one"), ("ES256", "two"), ("EdDSA", "three"))


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class PublishedKeys(IssuerKeys):
    """The keys of an issuer that publishes `documents`, one after the other, and then repeats the last one."""

    def __init__(self, *documents: bytes) -> None:
        super().__init__(JwksSource("https://issuer.example/keys.json"))
        self._documents = list(documents)

    def read_document(self) -> bytes:
        return self._documents.pop(0) if len(self._documents) > 1 else self._documents[0]


@pytest.fixture
async def jwt_verifier(clock: Clock) -> JwtVerifier:
    keys = PublishedKeys(published(*KEYS))
    await keys.load()
    return JwtVerifier(ISSUER, AUDIENCE, keys, clock)


async def rejection_of(jwt_verifier: JwtVerifier, token: str | bytes) -> str:
    with pytest.raises(CredentialError) as caught:
        await jwt_verifier.find(token if isinstance(token, bytes) else token.encode())
    return caught.value.reason


@pytest.mark.parametrize(("algorithm", "kid"), KEYS)
async def test_a_valid_token_names_its_holder_and_scopes(jwt_verifier: JwtVerifier, algorithm: str, kid: str) -> None:
    payload = claims(scope="items:read openid items:write items:burn")
    for named in (kid, None):  # each algorithm has one key
        assert await jwt_verifier.find(signed(payload, algorithm, named, by=kid).encode()) == Principal(
            "jwt:alice",
            frozenset({Scope.ITEMS_READ, Scope.ITEMS_WRITE}),
            credential=f"jwt:{payload['iss']}",
            original_credential=f"jwt:{payload['iss']}",
            expires_at=payload["exp"] + 30.0,
        )


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": "events:read events:export"}, {"events:read", "events:export"}),
        ({"scope": None, "scp": "keys:admin"}, {"keys:admin"}),
        ({"scope": None, "scp": ["items:read", "projections:rebuild", 7]}, {"items:read", "projections:rebuild"}),
        ({"scope": "", "scp": "items:read"}, set()),
        ({"scope": None}, set()),
        ({"scope": 7}, set()),
        ({"scope": {"items:read": True}}, set()),
        ({"scope": "ITEMS:READ items:read,items:write items:*"}, set()),
    ],
)
async def test_scopes_come_from_one_claim_only(
    jwt_verifier: JwtVerifier, changes: dict[str, Any], scopes: set[str]
) -> None:
    assert (await jwt_verifier.find(signed(claims(**changes)).encode())).scopes == scopes


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "AT+JWT", "application/at+jwt"])
async def test_an_access_token_may_name_its_type(jwt_verifier: JwtVerifier, typ: str) -> None:
    await jwt_verifier.find(signed(typ=typ).encode())


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]])
async def test_the_audience_may_be_one_of_several(jwt_verifier: JwtVerifier, audience: object) -> None:
    await jwt_verifier.find(signed(claims(aud=audience)).encode())


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_attack_is_accepted(jwt_verifier: JwtVerifier, attack: str) -> None:
    token = ATTACKS[attack]()
    assert (await rejection_of(jwt_verifier, token)).startswith("token: ")
    assert jwt_verifier._verified == {}, "rejected tokens are not cached"
    await jwt_verifier.find(signed().encode())  # a valid token is still accepted


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_token_with_any_byte_changed_is_rejected(jwt_verifier: JwtVerifier, data: st.DataObject) -> None:
    token = bytearray(signed(claims(exp=2_000_000_000), "EdDSA", "three").encode())
    place = data.draw(st.integers(0, len(token) - 1))
    token[place] = data.draw(st.sampled_from(b"abcdXYZ019-_.=~+/").filter(lambda byte: byte != token[place]))
    await rejection_of(jwt_verifier, bytes(token))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.binary(max_size=60) | st.sampled_from([b'{"alg":"RS256","kid":"one"}', b"{}"]), max_size=5))
async def test_an_arbitrary_token_is_rejected(jwt_verifier: JwtVerifier, parts: list[bytes]) -> None:
    await rejection_of(jwt_verifier, ".".join(map(unpadded, parts)))


async def test_the_issuer_s_clock_may_differ_by_half_a_minute(jwt_verifier: JwtVerifier) -> None:
    now = int(time.time())
    await jwt_verifier.find(signed(claims(exp=now - 20)).encode())
    await jwt_verifier.find(signed(claims(nbf=now + 20)).encode())


async def test_a_token_is_cached_and_never_beyond_its_expiry(
    jwt_verifier: JwtVerifier, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = 0
    decode = jwt.decode

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal verified
        verified += 1
        return decode(*arguments, **options)

    monkeypatch.setattr(jwt, "decode", counted)
    long, short = signed(claims(exp=int(clock.now) + 86_400)).encode(), signed(claims(exp=int(clock.now) + 1)).encode()
    for _ in range(100):
        await jwt_verifier.find(long)
        await jwt_verifier.find(short)
    assert verified == 2
    clock.now += verifier._CACHE_SECONDS
    await jwt_verifier.find(long)
    assert verified == 3
    # PyJWT's own clock cannot be moved here, so it accepts the token: what counts is that it is asked again.
    await jwt_verifier.find(short)
    assert verified == 4


async def test_the_cache_of_tokens_is_bounded(jwt_verifier: JwtVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "_MAX_CACHED_TOKENS", 10)
    for number in range(30):
        await jwt_verifier.find(signed(claims(jti=str(number)), "EdDSA", "three").encode())
    assert len(jwt_verifier._verified) == 10


async def test_cached_tokens_are_dropped_when_the_issuer_s_keys_change(clock: Clock) -> None:
    keys = PublishedKeys(published(("EdDSA", "old")), published(("EdDSA", "new")))
    await keys.load()
    jwt_verifier = JwtVerifier(ISSUER, AUDIENCE, keys, clock)
    token = signed(None, "EdDSA", "old").encode()
    await jwt_verifier.find(token)
    await keys.load()
    assert await rejection_of(jwt_verifier, token) == "token: a key that its issuer does not publish"
    await jwt_verifier.find(signed(None, "EdDSA", "new").encode())


async def test_the_service_accepts_tokens_and_keys(database_url: str, tmp_path: Any) -> None:
    (tmp_path / "jwks.json").write_bytes(published(*KEYS))
    options = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks": JwksSource(str(tmp_path / "jwks.json"))}
    async with InProcess.over(database_url, **options) as running:
        client, database = running.client, running.services.database
        check_problem(await client.get("/items"), 401, "credential-required")
        writer = bearer(signed(claims(scope="items:write", sub="shop")))
        check_problem(await client.get("/items", headers=writer), 403, "insufficient-scope")
        idempotent = {"idempotency-key": "one"}
        pen = {"name": "Pen", "price": 1}
        by_token = await client.post("/items", json=pen, headers={**writer, **idempotent})
        key = await make_key(database, "shop", Scope.ITEMS_WRITE)
        by_key = await client.post("/items", json=pen, headers={**bearer(key.text), **idempotent})
        assert (by_token.status_code, by_key.status_code) == (201, 201)
        rows = await database.read(select(events.c.actor, events.c.credential).order_by(events.c.position))
        assert [row.actor for row in rows] == ["jwt:shop", "shop"], "a subject is never mistaken for a key's holder"
        assert [row.credential for row in rows] == [f"jwt:{ISSUER}", f"key:{key.key.id}"]
        for token in ("a" * 8192, signed(claims(padding="x" * 7000)), signed(claims(iss="x")), "a.b.c", "a.b"):
            check_problem(await client.get("/items", headers=bearer(token)), 401, "credential-invalid")
        assert (await client.get("/items", headers=bearer(signed(claims(padding="x" * 5000))))).status_code == 200
