"""The issuer's keys: which are accepted, how often they are read, and what happens in an outage of the issuer."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.client import BadStatusLine, InvalidURL
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt.api_jwk
import jwt.jwk_set_cache
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from api.app import open_jwt_verifier
from api.auth.jwt import jwks
from api.auth.jwt.jwks import IssuerKeys, UnreadableKeysError, read_keys
from api.auth.jwt.jwks_source import JwksSource
from api.auth.jwt.verifier import JwtVerifier
from api.auth.principal import CredentialError
from api.http.problems import ISSUER_UNAVAILABLE, Problem
from api.settings import Settings, SettingsError, from_environment
from api.startup import StartError
from tests.support.clients.http import check_problem
from tests.support.clients.issuer import AUDIENCE, ISSUER, claims, private_key, public_jwk, published, signed
from tests.support.clients.keys import bearer
from tests.support.service import InProcess

ONE = ("RS256", "one")


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of our cool-down and of PyJWT's cache."""
    clock = Clock()
    monkeypatch.setattr(jwks, "monotonic", clock.monotonic)
    for module in (jwt.api_jwk, jwt.jwk_set_cache):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Issuer:
    """Publishes a set of keys, counts how often it is read, and fails if it has an error."""

    def __init__(self, *keys: tuple[str, str]) -> None:
        self.text = published(*keys)
        self.read = 0
        self.error: Exception | None = None
        self.keys = IssuerKeys(JwksSource("https://issuer.example/keys.json"))
        self.keys.read_document = self._read  # type: ignore[method-assign]

    def _read(self) -> bytes:
        self.read += 1
        if self.error is not None:
            raise self.error
        return self.text


async def misses(issuer: Issuer, kid: str) -> None:
    with pytest.raises(CredentialError, match="a key that its issuer does not publish"):
        await issuer.keys.find("RS256", kid)


async def has_none(issuer: Issuer) -> None:
    with pytest.raises(Problem) as caught:
        await issuer.keys.find(*ONE)
    assert caught.value.kind is ISSUER_UNAVAILABLE


def other(jwk: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {name: value for name, value in {**jwk, **changes}.items() if value is not None}


def with_private_half() -> dict[str, Any]:
    return {**json.loads(RSAAlgorithm.to_jwk(private_key(*ONE))), "kid": "one", "key_ops": ["sign"]}


def test_keys_are_accepted_by_their_kind() -> None:
    keys = read_keys(published(ONE, ("ES256", "two"), ("EdDSA", "three"), ("ES256", "one")))
    assert set(keys) == {ONE, ("ES256", "two"), ("EdDSA", "three"), ("ES256", "one")}
    assert [key.algorithm_name for key in keys.values()] == ["RS256", "ES256", "EdDSA", "ES256"]
    plain = other(public_jwk(*ONE), kid=None, use=None, alg=None)
    assert set(read_keys(published(more=[plain]))) == {("RS256", None)}


def test_only_the_public_half_of_a_published_private_key_is_used() -> None:
    [key] = read_keys(published(more=[with_private_half()])).values()
    assert isinstance(key.key, rsa.RSAPublicKey)


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "RS256"},
        other(public_jwk(*ONE), use="enc"),
        other(public_jwk(*ONE), alg="RS512"),
        other(public_jwk(*ONE), alg="HS256"),
        other(public_jwk(*ONE), n=None),
        other(public_jwk(*ONE), n="!"),
        other(public_jwk(*ONE), n=7),
        other(public_jwk(*ONE), kty=["RSA"]),
        other(public_jwk("ES256", "one"), crv="P-384"),
        other(public_jwk("ES256", "one"), crv=[]),
        other(public_jwk("ES256", "one"), x="AAAA"),
        other(public_jwk("EdDSA", "one"), crv="X25519"),
        json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key())),  # noqa: S505
        json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key())),
        {},
    ],
)
def test_unsupported_keys_are_ignored(jwk: dict[str, Any]) -> None:
    assert set(read_keys(published(ONE, more=[other(jwk, kid="other")]))) == {ONE}
    assert read_keys(json.dumps({"keys": [jwk]}).encode()) == {}


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[1]}', b"<html>", b"\xff", b"[" * 9999])
def test_an_invalid_document_is_rejected(text: bytes) -> None:
    with pytest.raises(UnreadableKeysError, match="not a valid JWK Set"):
        read_keys(text)


async def test_unknown_kids_cause_one_read_in_half_a_minute(clock: Clock) -> None:
    issuer = Issuer(ONE)
    await issuer.keys.load()
    for number in range(1000):
        await misses(issuer, f"key-{number}")
    assert issuer.read == 1, "the keys were just read"
    clock.now += 30
    storm = await asyncio.gather(*(issuer.keys.find("RS256", f"{n}") for n in range(1000)), return_exceptions=True)
    assert {type(error) for error in storm} == {CredentialError}
    for number in range(1000):
        await misses(issuer, f"key-{number}")
    assert issuer.read == 2
    await issuer.keys.find(*ONE)


async def test_a_newly_published_key_is_found(clock: Clock) -> None:
    issuer = Issuer(ONE)
    await issuer.keys.load()
    issuer.text = published(ONE, ("RS256", "new"))
    clock.now += 29
    await misses(issuer, "new")
    clock.now += 1
    await asyncio.gather(*(issuer.keys.find("RS256", "new") for _ in range(50)))
    assert (issuer.read, issuer.keys.changes) == (2, 2)


async def test_keys_are_read_again_in_the_background_and_withdrawn_keys_are_dropped(clock: Clock) -> None:
    issuer = Issuer(ONE, ("RS256", "two"))
    await issuer.keys.load()
    issuer.text = published(("RS256", "two"))
    clock.now += 301
    await issuer.keys.find(*ONE)  # does not wait
    assert issuer.keys._refresh is not None
    await issuer.keys._refresh
    assert issuer.read == 2
    await misses(issuer, "one")
    await issuer.keys.find("RS256", "two")


async def test_an_issuer_can_withdraw_all_its_keys_and_so_all_tokens(clock: Clock) -> None:
    issuer = Issuer(ONE)
    await issuer.keys.load()
    tokens, token = JwtVerifier(ISSUER, AUDIENCE, issuer.keys), signed(claims()).encode()
    await tokens.find(token)
    issuer.text = b'{"keys":[]}'
    clock.now += 301
    await tokens.find(token)  # a cached token refreshes the keys too, and does not wait
    assert issuer.keys._refresh is not None
    await issuer.keys._refresh
    with pytest.raises(CredentialError, match="a key that its issuer does not publish"):
        await tokens.find(token)


async def test_in_an_outage_the_keys_are_used_for_an_hour_and_then_all_tokens_are_rejected(clock: Clock) -> None:
    issuer = Issuer(ONE)
    await issuer.keys.load()
    issuer.error = OSError("no route")
    for _ in range(60):
        clock.now += 60
        await issuer.keys.find(*ONE)
        await misses(issuer, "other")
    clock.now += 1
    reads = issuer.read
    for _ in range(100):
        await has_none(issuer)
    assert issuer.read == reads, "not every request asks an issuer that is down"
    issuer.error = None
    clock.now += 30
    await issuer.keys.find(*ONE)


@pytest.mark.parametrize(
    "error",
    [OSError("refused"), TimeoutError(), BadStatusLine("garbage"), InvalidURL("port"), ValueError("idna"), None],
)
async def test_until_the_keys_are_first_read_all_tokens_are_rejected(clock: Clock, error: Exception | None) -> None:
    issuer = Issuer(ONE)
    issuer.error, issuer.text = error, b"<html>"
    with pytest.raises(UnreadableKeysError):
        await issuer.keys.load()
    await has_none(issuer)
    clock.now += 30
    await has_none(issuer)
    assert issuer.read == 2


async def test_a_token_without_a_kid_uses_the_only_key_of_its_algorithm() -> None:
    issuer = Issuer(ONE, ("ES256", "two"), ("ES256", "three"))
    await issuer.keys.load()
    assert await issuer.keys.find("RS256", None) is await issuer.keys.find(*ONE)
    with pytest.raises(CredentialError):
        await issuer.keys.find("ES256", None)


@pytest.fixture
def site() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """A web server with its pages by path: the status, and the body or the location of a redirect."""
    pages: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = pages[self.path]
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", pages
        server.shutdown()


async def test_keys_come_from_a_url(site: tuple[str, dict[str, tuple[int, bytes]]]) -> None:
    url, pages = site
    pages["/keys"] = (200, published(ONE))
    pages["/moved"] = (302, f"{url}/keys".encode())
    pages["/gone"] = (404, published(ONE))
    pages["/long"] = (200, b" " * jwks._MAX_BYTES + published(ONE))
    keys = IssuerKeys(JwksSource(f"{url}/keys"))
    await keys.load()
    await keys.find(*ONE)
    for path in ("/moved", "/gone", "/long"):
        with pytest.raises(UnreadableKeysError):
            await IssuerKeys(JwksSource(url + path)).load()


async def test_a_read_of_the_keys_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "_TIMEOUT_SECONDS", 0.05)

    issuer, released = Issuer(ONE), threading.Event()

    def read_slowly() -> bytes:
        released.wait()
        return issuer.text

    issuer.keys.read_document = read_slowly  # type: ignore[method-assign]
    try:
        with pytest.raises(UnreadableKeysError, match="TimeoutError"):
            await issuer.keys.load()
    finally:
        released.set()


async def test_a_late_document_does_not_replace_a_newer_one(clock: Clock) -> None:
    issuer = Issuer(ONE)

    def read_while_another_read_begins() -> bytes:
        issuer.keys._attempted_at = clock.now = 30.0
        return published(("RS256", "old"))

    await issuer.keys.load()
    issuer.keys.read_document = read_while_another_read_begins  # type: ignore[method-assign]
    with pytest.raises(UnreadableKeysError):
        await issuer.keys.load()
    await misses(issuer, "old")
    await issuer.keys.find(*ONE)


async def test_a_start_needs_a_readable_file_but_not_a_reachable_url(
    tmp_path: Path, sqlite_url: str, site: tuple[str, dict[str, tuple[int, bytes]]]
) -> None:
    options = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    with pytest.raises(StartError, match=r"nothing\.json"):
        await open_jwt_verifier(Settings(**options, jwt_jwks=JwksSource(str(tmp_path / "nothing.json"))))  # type: ignore[arg-type]
    url, pages = site
    pages["/keys"] = (503, b"")
    async with InProcess.over(sqlite_url, **options, jwt_jwks=JwksSource(f"{url}/keys")) as running:
        answer = await running.client.get("/items", headers=bearer(signed(claims())))
        check_problem(answer, 503, "issuer-unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        check_problem(await running.client.get("/items"), 401, "credential-required")
        pages["/keys"] = (200, published(ONE))
        running.services.authenticator._jwt_verifier._keys._attempted_at = float("-inf")  # type: ignore[union-attr]
        assert (await running.client.get("/items", headers=bearer(signed(claims())))).status_code == 200


VARIABLES = {
    "ITEMLEDGER_JWT_ISSUER": ISSUER,
    "ITEMLEDGER_JWT_AUDIENCE": AUDIENCE,
    "ITEMLEDGER_JWT_JWKS": "https://issuer.example/keys",
}


def test_tokens_need_three_settings_or_none() -> None:
    settings = from_environment(VARIABLES)
    assert (settings.jwt_issuer, settings.jwt_audience, settings.jwt_jwks) == tuple(VARIABLES.values())
    for missing in VARIABLES:
        with pytest.raises(SettingsError, match=f"^{missing} is required "):
            from_environment({name: value for name, value in VARIABLES.items() if name != missing})


@pytest.mark.parametrize(
    ("source", "valid"),
    [
        ("https://issuer.example/keys", True),
        ("http://localhost:8080/keys", True),
        ("http://[::1]/keys", True),
        ("/etc/keys.json", True),
        ("keys.json", True),
        ("http://issuer.example/keys", False),
        ("http://127.0.0.1.example/keys", False),
        ("http://localhost@issuer.example/keys", False),
        ("file:///etc/keys.json", False),
        ("ftp://127.0.0.1/keys", False),
        ("HTTPS://issuer.example", False),
    ],
)
def test_keys_come_over_https_or_from_this_machine(source: str, valid: bool) -> None:
    if valid:
        assert from_environment({**VARIABLES, "ITEMLEDGER_JWT_JWKS": source}).jwt_jwks == source
    else:
        with pytest.raises(SettingsError, match="ITEMLEDGER_JWT_JWKS: Expected an https:// URL"):
            from_environment({**VARIABLES, "ITEMLEDGER_JWT_JWKS": source})


def test_the_source_may_not_contain_a_password() -> None:
    with pytest.raises(SettingsError, match="without a name or password") as raised:
        from_environment({**VARIABLES, "ITEMLEDGER_JWT_JWKS": "https://svc:hunter2@issuer.example/keys"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("name", ["ITEMLEDGER_JWT_ISSUER", "ITEMLEDGER_JWT_AUDIENCE"])
def test_an_empty_issuer_or_audience_is_a_missing_one(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is required"):
        from_environment({**VARIABLES, name: ""})
