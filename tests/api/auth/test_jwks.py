"""The issuer's keys: which are taken, how seldom they are asked for, and what is done where they can't be had."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.client import BadStatusLine, InvalidURL
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from api.app import open_tokens
from api.auth.jwt import jwks
from api.auth.jwt.jwks import PublishedKeys, UnreadableKeysError, published_at, read_keys
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


class Issuer:
    """Publishes a set of keys, counts how often it is read, and fails when told to."""

    def __init__(self, *keys: tuple[str, str]) -> None:
        self.text = published(*keys)
        self.read = 0
        self.error: Exception | None = None
        self.now = 0.0
        self.keys = PublishedKeys(self._read, lambda: self.now)

    async def _read(self) -> bytes:
        self.read += 1
        await asyncio.sleep(0)
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


def test_keys_are_taken_by_their_kind() -> None:
    found = read_keys(published(ONE, ("ES256", "two"), ("EdDSA", "three"), ("ES256", "one")))
    assert set(found) == {ONE, ("ES256", "two"), ("EdDSA", "three"), ("ES256", "one")}
    assert [key.algorithm_name for key in found.values()] == ["RS256", "ES256", "EdDSA", "ES256"]
    plain = other(public_jwk(*ONE), kid=None, use=None, alg=None)
    assert set(read_keys(published(more=[plain]))) == {("RS256", None)}


def test_of_a_private_key_that_was_published_only_the_public_half_is_kept() -> None:
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
def test_other_keys_are_passed_over(jwk: dict[str, Any]) -> None:
    assert set(read_keys(published(ONE, more=[other(jwk, kid="other")]))) == {ONE}
    assert read_keys(json.dumps({"keys": [jwk]}).encode()) == {}


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[1]}', b"<html>", b"\xff", b"[" * 9999])
def test_what_is_no_set_of_keys_is_refused(text: bytes) -> None:
    with pytest.raises(UnreadableKeysError, match="no JWK Set"):
        read_keys(text)


async def test_tokens_that_name_unknown_keys_make_it_look_once_in_half_a_minute() -> None:
    issuer = Issuer(ONE)
    await issuer.keys.load()
    for number in range(1000):
        await misses(issuer, f"key-{number}")
    assert issuer.read == 1, "it has only just looked"
    issuer.now += 30
    storm = await asyncio.gather(*(issuer.keys.find("RS256", f"{n}") for n in range(1000)), return_exceptions=True)
    assert {type(error) for error in storm} == {CredentialError}
    for number in range(1000):
        await misses(issuer, f"key-{number}")
    assert issuer.read == 2
    await issuer.keys.find(*ONE)


async def test_a_key_that_was_published_since_is_found() -> None:
    issuer = Issuer(ONE)
    await issuer.keys.load()
    issuer.text = published(ONE, ("RS256", "new"))
    issuer.now += 29
    await misses(issuer, "new")
    issuer.now += 1
    await asyncio.gather(*(issuer.keys.find("RS256", "new") for _ in range(50)))
    assert (issuer.read, issuer.keys.changes) == (2, 2)


async def test_keys_are_read_again_beside_the_requests_and_withdrawn_ones_go() -> None:
    issuer = Issuer(ONE, ("RS256", "two"))
    await issuer.keys.load()
    issuer.text = published(("RS256", "two"))
    issuer.now += 301
    await issuer.keys.find(*ONE)  # nobody waits
    assert issuer.keys._reading is not None
    await issuer.keys._reading
    assert issuer.read == 2
    await misses(issuer, "one")
    await issuer.keys.find("RS256", "two")


async def test_an_issuer_can_withdraw_all_its_keys_and_what_they_signed_counts_no_more() -> None:
    issuer = Issuer(ONE)
    await issuer.keys.load()
    tokens, token = JwtVerifier(ISSUER, AUDIENCE, issuer.keys), signed(claims()).encode()
    await tokens.find(token)
    issuer.text = b'{"keys":[]}'
    issuer.now += 301
    await tokens.find(token)  # one that is remembered has the keys looked at, too; nobody waits
    assert issuer.keys._reading is not None
    await issuer.keys._reading
    with pytest.raises(CredentialError, match="a key that its issuer does not publish"):
        await tokens.find(token)


async def test_where_keys_can_not_be_read_again_they_count_for_an_hour_and_then_no_token_does() -> None:
    issuer = Issuer(ONE)
    await issuer.keys.load()
    issuer.error = OSError("no route")
    for _ in range(60):
        issuer.now += 60
        await issuer.keys.find(*ONE)
        await misses(issuer, "other")
    issuer.now += 1
    reads = issuer.read
    for _ in range(100):
        await has_none(issuer)
    assert issuer.read == reads, "an issuer that is down is not asked by every request"
    issuer.error = None
    issuer.now += 30
    await issuer.keys.find(*ONE)


@pytest.mark.parametrize(
    "error",
    [OSError("refused"), TimeoutError(), BadStatusLine("garbage"), InvalidURL("port"), ValueError("idna"), None],
)
async def test_where_keys_never_could_be_read_no_token_counts(error: Exception | None) -> None:
    issuer = Issuer(ONE)
    issuer.error, issuer.text = error, b"<html>"
    with pytest.raises(UnreadableKeysError):
        await issuer.keys.load()
    await has_none(issuer)
    issuer.now += 30
    await has_none(issuer)
    assert issuer.read == 2


async def test_a_token_without_a_name_goes_with_the_only_key_of_its_algorithm() -> None:
    issuer = Issuer(ONE, ("ES256", "two"), ("ES256", "three"))
    await issuer.keys.load()
    assert await issuer.keys.find("RS256", None) is await issuer.keys.find(*ONE)
    with pytest.raises(CredentialError):
        await issuer.keys.find("ES256", None)


@pytest.fixture
def site() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """A web server, with its pages by path: status, and body, or where it leads to."""
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
    pages["/long"] = (200, b" " * jwks._MOST_BYTES + published(ONE))
    keys = published_at(JwksSource(f"{url}/keys"))
    await keys.load()
    await keys.find(*ONE)
    for path in ("/moved", "/gone", "/long"):
        with pytest.raises(UnreadableKeysError):
            await published_at(JwksSource(url + path)).load()


async def test_an_issuer_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "_TIMEOUT_SECONDS", 0.05)

    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    with pytest.raises(UnreadableKeysError, match="TimeoutError"):
        await PublishedKeys(never).load()


async def test_a_start_needs_its_file_but_not_a_site_that_answers(
    tmp_path: Path, sqlite_url: str, site: tuple[str, dict[str, tuple[int, bytes]]]
) -> None:
    options = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    with pytest.raises(StartError, match=r"nothing\.json"):
        await open_tokens(Settings(**options, jwt_jwks=JwksSource(str(tmp_path / "nothing.json"))))  # type: ignore[arg-type]
    url, pages = site
    pages["/keys"] = (503, b"")
    async with InProcess.over(sqlite_url, **options, jwt_jwks=JwksSource(f"{url}/keys")) as running:
        answer = await running.client.get("/items", headers=bearer(signed(claims())))
        check_problem(answer, 503, "issuer-unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        check_problem(await running.client.get("/items"), 401, "credential-required")
        pages["/keys"] = (200, published(ONE))
        running.services.authenticator._tokens._keys._tried_at = float("-inf")  # type: ignore[union-attr]
        assert (await running.client.get("/items", headers=bearer(signed(claims())))).status_code == 200


GIVEN = {
    "ITEMLEDGER_JWT_ISSUER": ISSUER,
    "ITEMLEDGER_JWT_AUDIENCE": AUDIENCE,
    "ITEMLEDGER_JWT_JWKS": "https://issuer.example/keys",
}


def test_tokens_take_three_settings_or_none() -> None:
    settings = from_environment(GIVEN)
    assert (settings.jwt_issuer, settings.jwt_audience, settings.jwt_jwks) == tuple(GIVEN.values())
    for left_out in GIVEN:
        with pytest.raises(SettingsError, match=f"^{left_out}: "):
            from_environment({name: value for name, value in GIVEN.items() if name != left_out})


@pytest.mark.parametrize(
    ("source", "right"),
    [
        ("https://issuer.example/keys", True),
        ("http://localhost:8080/keys", True),
        ("http://[::1]/keys", True),
        ("/etc/keys.json", True),
        ("keys.json", True),
        ("", False),
        ("http://issuer.example/keys", False),
        ("http://127.0.0.1.example/keys", False),
        ("http://localhost@issuer.example/keys", False),
        ("file:///etc/keys.json", False),
        ("ftp://127.0.0.1/keys", False),
        ("HTTPS://issuer.example", False),
    ],
)
def test_keys_come_encrypted_or_from_this_machine(source: str, right: bool) -> None:
    if right:
        assert from_environment({**GIVEN, "ITEMLEDGER_JWT_JWKS": source}).jwt_jwks == source
    else:
        with pytest.raises(SettingsError, match="ITEMLEDGER_JWT_JWKS: Expected an https:// URL"):
            from_environment({**GIVEN, "ITEMLEDGER_JWT_JWKS": source})


def test_where_keys_are_has_no_password_in_it() -> None:
    with pytest.raises(SettingsError, match="without a name or password") as raised:
        from_environment({**GIVEN, "ITEMLEDGER_JWT_JWKS": "https://svc:hunter2@issuer.example/keys"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("name", ["ITEMLEDGER_JWT_ISSUER", "ITEMLEDGER_JWT_AUDIENCE"])
def test_they_say_whose_tokens_and_for_whom(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: "):
        from_environment({**GIVEN, name: ""})
