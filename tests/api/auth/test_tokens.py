"""Access tokens: the good ones name their holder, and no attack that is known makes one that is not good count."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from api.auth.jwt import verifier
from api.auth.jwt.jwks import PublishedKeys
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
    """The time, which passes when told to."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def giving(*texts: bytes) -> Callable[[], Any]:
    """Give an issuer that publishes `texts`, one after the other, and the last one from then on."""
    left = list(texts)

    async def read() -> bytes:
        return left.pop(0) if len(left) > 1 else left[0]

    return read


@pytest.fixture
async def taken(clock: Clock) -> JwtVerifier:
    keys = PublishedKeys(giving(published(*KEYS)))
    await keys.load()
    return JwtVerifier(ISSUER, AUDIENCE, keys, clock)


async def refusal(taken: JwtVerifier, token: str | bytes) -> str:
    with pytest.raises(CredentialError) as caught:
        await taken.find(token if isinstance(token, bytes) else token.encode())
    return caught.value.reason


@pytest.mark.parametrize(("algorithm", "kid"), KEYS)
async def test_a_good_token_names_its_holder_and_what_they_may(taken: JwtVerifier, algorithm: str, kid: str) -> None:
    payload = claims(scope="items:read openid items:write items:burn")
    for named in (kid, None):  # of each algorithm there is one key
        assert await taken.find(signed(payload, algorithm, named, by=kid).encode()) == Principal(
            "jwt:alice", frozenset({Scope.ITEMS_READ, Scope.ITEMS_WRITE}), expires_at=payload["exp"] + 30.0
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
async def test_scopes_come_from_one_claim_and_nothing_else_gives_one(
    taken: JwtVerifier, changes: dict[str, Any], scopes: set[str]
) -> None:
    assert (await taken.find(signed(claims(**changes)).encode())).scopes == scopes


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "AT+JWT", "application/at+jwt"])
async def test_an_access_token_may_say_that_it_is_one(taken: JwtVerifier, typ: str) -> None:
    await taken.find(signed(typ=typ).encode())


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]])
async def test_it_is_for_us_where_we_are_among_others(taken: JwtVerifier, audience: object) -> None:
    await taken.find(signed(claims(aud=audience)).encode())


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_attack_makes_a_token_good(taken: JwtVerifier, attack: str) -> None:
    token = ATTACKS[attack]()
    assert (await refusal(taken, token)).startswith("token: ")
    assert taken._known == {}, "what is refused is not remembered"
    await taken.find(signed().encode())  # what is good still is


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_good_token_with_any_byte_changed_is_none(taken: JwtVerifier, data: st.DataObject) -> None:
    token = bytearray(signed(claims(exp=2_000_000_000), "EdDSA", "three").encode())
    place = data.draw(st.integers(0, len(token) - 1))
    token[place] = data.draw(st.sampled_from(b"abcdXYZ019-_.=~+/").filter(lambda byte: byte != token[place]))
    await refusal(taken, bytes(token))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.binary(max_size=60) | st.sampled_from([b'{"alg":"RS256","kid":"one"}', b"{}"]), max_size=5))
async def test_no_made_up_token_breaks_anything(taken: JwtVerifier, parts: list[bytes]) -> None:
    await refusal(taken, ".".join(map(unpadded, parts)))


async def test_clocks_may_differ_by_half_a_minute(taken: JwtVerifier) -> None:
    now = int(time.time())
    await taken.find(signed(claims(exp=now - 20)).encode())
    await taken.find(signed(claims(nbf=now + 20)).encode())


async def test_a_token_is_verified_once_in_a_while_and_never_longer_than_it_is_good(
    taken: JwtVerifier, clock: Clock, monkeypatch: pytest.MonkeyPatch
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
        await taken.find(long)
        await taken.find(short)
    assert verified == 2
    clock.now += verifier._REMEMBERED_SECONDS
    await taken.find(long)
    assert verified == 3
    # What the clock of the library says is now is not ours to move: that it is asked again is what counts.
    await taken.find(short)
    assert verified == 4


async def test_it_remembers_so_many_tokens_and_no_more(taken: JwtVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "_MOST_REMEMBERED", 10)
    for number in range(30):
        await taken.find(signed(claims(jti=str(number)), "EdDSA", "three").encode())
    assert len(taken._known) == 10


async def test_tokens_are_forgotten_when_the_issuer_publishes_other_keys(clock: Clock) -> None:
    keys = PublishedKeys(giving(published(("EdDSA", "old")), published(("EdDSA", "new"))))
    await keys.load()
    taken = JwtVerifier(ISSUER, AUDIENCE, keys, clock)
    token = signed(None, "EdDSA", "old").encode()
    await taken.find(token)
    await keys.load()
    assert await refusal(taken, token) == "token: a key that its issuer does not publish"
    await taken.find(signed(None, "EdDSA", "new").encode())


async def test_the_service_takes_tokens_beside_keys(database_url: str, tmp_path: Any) -> None:
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
        rows = await database.read(select(events.c.actor).order_by(events.c.position))
        assert [row.actor for row in rows] == ["jwt:shop", "shop"], "a subject is never taken for a key's holder"
        for token in ("a" * 8192, signed(claims(padding="x" * 7000)), signed(claims(iss="x")), "a.b.c", "a.b"):
            check_problem(await client.get("/items", headers=bearer(token)), 401, "credential-invalid")
        assert (await client.get("/items", headers=bearer(signed(claims(padding="x" * 5000))))).status_code == 200
