"""What access tokens are verified by: a JWK Set (RFC 7517) that their issuer publishes, at a URL or in a file."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWTError
from msgspec import Struct

from api.auth.jwt.jwks_source import JwksSource
from api.auth.principal import CredentialError
from api.http.problems import ISSUER_UNAVAILABLE, Problem
from api.logs import summary

log = structlog.get_logger()

#: Seconds after which the keys are read again, beside the requests that they are used for.
_FRESH_SECONDS = 300.0
#: Seconds after which they are trusted no longer, where they could not be read again.
_TRUSTED_SECONDS = 3600.0
#: Seconds between two readings at least, whatever keys tokens name.
_COOL_DOWN_SECONDS = 30.0
_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 1 << 20
#: Which algorithm goes with which key. What is not here is not taken: no shared secrets, no other curves.
_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
ALGORITHMS = frozenset(_ALGORITHMS.values())
_LEAST_RSA_BITS = 2048
_PUBLIC = ("kty", "crv", "n", "e", "x", "y")

#: By algorithm and name (`kid`).
Keys = Mapping[tuple[str, str | None], PyJWK]


class _KeySet(Struct):
    keys: list[dict[str, Any]]


class UnreadableKeysError(Exception):
    """The keys can't be read; the message says why."""


def read_keys(text: bytes) -> Keys:
    """Read a JWK Set. What is not for signatures, or of a kind that we don't take, is passed over.

    Nothing may be left: an issuer that lost its keys to somebody withdraws them. Raises UnreadableKeysError.
    """
    try:
        found = msgspec.json.decode(text, type=_KeySet).keys
    except (msgspec.DecodeError, RecursionError):
        raise UnreadableKeysError("it is no JWK Set") from None
    keys = {}
    for jwk in found:
        algorithm = _ALGORITHMS.get((str(jwk.get("kty")), str(jwk["crv"]) if "crv" in jwk else None))
        if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
            continue
        try:
            key = PyJWK({name: jwk[name] for name in _PUBLIC if name in jwk}, algorithm)
        except (PyJWTError, ValueError, TypeError):
            continue
        if not isinstance(key.key, RSAPublicKey) or key.key.key_size >= _LEAST_RSA_BITS:
            keys[algorithm, str(jwk["kid"]) if "kid" in jwk else None] = key
    return keys


class PublishedKeys:
    """Holds an issuer's keys, and reads them again now and then.

    A token that names a key which nobody knows makes it look at most once in 30 seconds. Where the keys can't be read,
    those that are known count for an hour; then no token is taken.
    """

    def __init__(self, read: Callable[[], Awaitable[bytes]], clock: Callable[[], float] = monotonic) -> None:
        """Have `read` give the JWK Set, or raise OSError, TimeoutError, HTTPException or ValueError."""
        self._read = read
        self._clock = clock
        self._text = b""
        self._keys: Keys = {}
        self._read_at = self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        #: How often the keys were found to be others.
        self.changes = 0

    async def load(self) -> None:
        """Read the keys. Raises UnreadableKeysError."""
        self._tried_at = self._clock()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                text = await self._read()
        except (OSError, TimeoutError, HTTPException, ValueError) as error:
            raise UnreadableKeysError(summary(error)) from None
        if text != self._text:
            self._keys, self._text = read_keys(text), text
            self.changes += 1
            if not self._keys:
                log.error("the issuer publishes no key for RS256, ES256 or EdDSA: no token is taken")
        self._read_at = self._tried_at

    async def find(self, algorithm: str, kid: str | None) -> PyJWK:
        """Give the key of this name, or without one the only key there is for `algorithm`.

        Raises CredentialError where there is none, and Problem (503) where the keys can't be had.
        """
        key = self._known(algorithm, kid)
        if key is None:
            self._begin_reading()
        self.freshen()
        if key is None and self._reading is not None:
            await asyncio.shield(self._reading)
            key = self._known(algorithm, kid)
        if key is not None:
            return key
        if self._age > _TRUSTED_SECONDS:
            raise Problem(ISSUER_UNAVAILABLE)
        raise CredentialError("token: a key that its issuer does not publish")

    def freshen(self) -> None:
        """Begin to read the keys again where that was long ago."""
        if self._age > _FRESH_SECONDS:
            self._begin_reading()

    @property
    def _age(self) -> float:
        return self._clock() - self._read_at

    def _known(self, algorithm: str, kid: str | None) -> PyJWK | None:
        if self._age > _TRUSTED_SECONDS:
            return None
        if kid is not None:
            return self._keys.get((algorithm, kid))
        candidates = [key for (of, _), key in self._keys.items() if of == algorithm]
        return candidates[0] if len(candidates) == 1 else None

    def _begin_reading(self) -> None:
        if self._reading is None and self._clock() - self._tried_at >= _COOL_DOWN_SECONDS:
            self._reading = asyncio.create_task(self._read_again(), name="JWKS")

    async def _read_again(self) -> None:
        try:
            await self.load()
        except UnreadableKeysError as error:
            log.error("the issuer's keys can't be read", cause=str(error))
        finally:
            self._reading = None


def published_at(source: JwksSource) -> PublishedKeys:
    """Give the keys that are published at a URL or in a file, not read yet."""
    return PublishedKeys(partial(asyncio.to_thread, _fetch if source.is_url else _read_file, source))


def _read_file(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(_MOST_BYTES)


class _NoRedirects(HTTPRedirectHandler):
    """Keys come from where we were told, and from nowhere that it sends us to."""

    def redirect_request(self, *_: object) -> None:
        """Give no request: the answer becomes an error."""


def _fetch(url: str) -> bytes:
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310  (JwksSource lets no other scheme in)
    with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_SECONDS) as answer:
        content: bytes = answer.read(_MOST_BYTES)
    return content
