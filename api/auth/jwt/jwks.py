"""The issuer's signing keys: a JWK Set (RFC 7517) at a URL or in a file, cached by PyJWT's client."""

import asyncio
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKClient, PyJWKSet, PyJWTError
from jwt.jwk_set_cache import JWKSetCache
from msgspec import Struct

from api.auth.jwt.jwks_source import JwksSource
from api.auth.principal import CredentialError
from api.http.problems import ISSUER_UNAVAILABLE, Problem
from api.logs import summary

log = structlog.get_logger()

_REFRESH_SECONDS = 300  # the age at which the keys of a URL are read again, in the background
_FILE_REFRESH_SECONDS = 1  # of a file: reading it costs nobody anything
_STALE_SECONDS = 3600  # the age at which keys that could not be read again are no longer used
_COOL_DOWN_SECONDS = 30  # the least time between two reads of a URL, whatever keys the tokens name
_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 1 << 20
#: The algorithm of each accepted kind of key. Shared secrets and other curves are not accepted.
_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
ALGORITHMS = frozenset(_ALGORITHMS.values())
_MIN_RSA_BITS = 2048
_PUBLIC_MEMBERS = ("kty", "crv", "n", "e", "x", "y")

Keys = Mapping[tuple[str, str | None], PyJWK]  # by algorithm and `kid`


class _Document(Struct):
    keys: list[dict[str, Any]]


class UnreadableKeysError(Exception):
    """The issuer's keys cannot be read; the message says why."""


def read_keys(text: bytes) -> Keys:
    """Read a JWK Set, without the keys that are not for signatures or not of an accepted kind.

    The result may be empty: an issuer whose keys were stolen withdraws them. Raises UnreadableKeysError.
    """
    try:
        jwks = msgspec.json.decode(text, type=_Document).keys
    except (msgspec.DecodeError, RecursionError):
        raise UnreadableKeysError("the document is not a valid JWK Set") from None
    keys = {}
    for jwk in jwks:
        algorithm = _ALGORITHMS.get((str(jwk.get("kty")), str(jwk["crv"]) if "crv" in jwk else None))
        if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
            continue
        try:
            key = PyJWK({name: jwk[name] for name in _PUBLIC_MEMBERS if name in jwk}, algorithm)
        except (PyJWTError, ValueError, TypeError):
            continue
        if not isinstance(key.key, RSAPublicKey) or key.key.key_size >= _MIN_RSA_BITS:
            keys[algorithm, str(jwk["kid"]) if "kid" in jwk else None] = key
    return keys


class _KeySet(PyJWKSet):
    """The usable keys of an issuer. Unlike a PyJWKSet it may be empty."""

    def __init__(self, usable: Keys) -> None:
        self.usable = usable
        self.keys = [*usable.values()]


class IssuerKeys(PyJWKClient):
    """PyJWT's client with its cache, which never blocks the event loop and keeps its keys for an hour of an outage.

    A failed read starts the cool-down too. PyJWT's own `get_signing_key` would ask an issuer that is down every time.
    """

    jwk_set_cache: JWKSetCache

    def __init__(self, source: JwksSource) -> None:
        """Take the keys from `source`, not read yet."""
        # PyJWT's client accepts only such URIs. For a file it is not used: `read_document` reads the source.
        if source.is_url:
            super().__init__(source, lifespan=_REFRESH_SECONDS, cooldown_duration=_COOL_DOWN_SECONDS)
        else:
            pause = _FILE_REFRESH_SECONDS
            super().__init__("http://localhost", lifespan=pause, cooldown_duration=pause)
        self._source = source
        self._stale_cache = JWKSetCache(_STALE_SECONDS)
        self._document: bytes | None = None
        self._key_set = _KeySet({})
        self._attempted_at = float("-inf")
        self._refresh: asyncio.Task[None] | None = None
        self._logged_cause = ""
        self.changes = 0  # how often the published keys were seen to change

    async def load(self) -> None:
        """Read the keys. Raises UnreadableKeysError."""
        self._attempted_at = monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await asyncio.to_thread(self.get_jwk_set, refresh=True)
        except (OSError, HTTPException, ValueError) as error:
            raise UnreadableKeysError(summary(error)) from None

    async def find(self, algorithm: str, kid: str | None) -> PyJWK:
        """Return the key with this `kid`, or the only one for `algorithm`. Raises CredentialError and Problem (503)."""
        self.refresh_if_stale()
        if key := self._match(algorithm, kid):
            return key
        self._start_refresh()
        if self._refresh is not None:
            await asyncio.shield(self._refresh)
        if key := self._match(algorithm, kid):
            return key
        if self._stale_cache.get() is None:
            raise Problem(ISSUER_UNAVAILABLE)
        raise CredentialError("token: a key that its issuer does not publish")

    def refresh_if_stale(self) -> None:
        """Start to read the keys again, in the background, if they are older than their source's pause."""
        if self.jwk_set_cache.get() is None:
            self._start_refresh()

    def fetch_data(self) -> PyJWKSet:
        """Read the keys; called in a thread by `get_jwk_set`, which caches them."""
        attempted_at = self._attempted_at
        document = self.read_document()
        if attempted_at != self._attempted_at:  # this read timed out: a later one may have newer keys
            raise TimeoutError
        is_new = document != self._document
        if is_new:
            self._key_set, self._document = _KeySet(read_keys(document)), document
            if not self._key_set.keys:
                log.error("the issuer publishes no key for RS256, ES256 or EdDSA: all access tokens are rejected")
        self._stale_cache.put(self._key_set)
        self.changes += is_new  # last: the event loop sees the new keys before it drops the tokens that old ones signed
        return self._key_set

    def read_document(self) -> bytes:
        """Read the JWK Set. Raises OSError, HTTPException or ValueError."""
        if not self._source.is_url:
            with Path(self._source).open("rb") as file:
                return file.read(_MAX_BYTES)
        request = Request(self._source, headers={"Accept": "application/json"})  # noqa: S310  (JwksSource checks it)
        with build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_SECONDS) as response:
            content: bytes = response.read(_MAX_BYTES)
        return content

    def _match(self, algorithm: str, kid: str | None) -> PyJWK | None:
        key_set = self._stale_cache.get()
        usable = key_set.usable if isinstance(key_set, _KeySet) else {}
        if kid is not None:
            return usable.get((algorithm, kid))
        candidates = [key for (of, _), key in usable.items() if of == algorithm]
        return candidates[0] if len(candidates) == 1 else None

    def _start_refresh(self) -> None:
        if self._refresh is None and monotonic() - self._attempted_at >= self.cooldown_duration:
            self._refresh = asyncio.create_task(self._load_again(), name="JWKS")

    async def _load_again(self) -> None:
        try:
            await self.load()
        except UnreadableKeysError as error:
            if str(error) != self._logged_cause:  # a file is tried again every second
                log.error("could not read the issuer's keys", cause=str(error))
            self._logged_cause = str(error)
        else:
            self._logged_cause = ""
        finally:
            self._refresh = None


class _NoRedirects(HTTPRedirectHandler):
    """Keys come from the configured URL only."""

    def redirect_request(self, *_: object) -> None:
        """Return no request, so that a redirect is an error."""
