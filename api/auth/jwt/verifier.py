"""Verification of access tokens (JWT) that the issuer signed for this service, following RFC 8725.

A token's header only selects one of the issuer's published keys, whose algorithm is used. Header fields that contain or
locate keys (`jwk`, `jku`, `x5c`, `x5u`) are ignored.
"""

import re
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
from msgspec import Struct

from api.auth.jwt.jwks import ALGORITHMS, IssuerKeys
from api.auth.principal import CredentialError, Principal
from api.auth.scopes import as_scopes

_LEEWAY_SECONDS = 30  # how far the issuer's clock may differ from ours
_CACHE_SECONDS = 300.0  # how long a verified token is cached
_MAX_CACHED_TOKENS = 4096
_REQUIRED_CLAIMS = ["iss", "aud", "exp", "nbf", "sub"]
#: The accepted types of a token that names one. Logout tokens and security events have others.
_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
#: ASCII, as in OpenID Connect, and without spaces, so that logs and shells cannot misread it.
_SUBJECT = re.compile(r"[!-~]{1,255}")

_MALFORMED = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class _VerifiedToken(NamedTuple):
    principal: Principal
    cached_until: float


class JwtVerifier(Struct, eq=False):
    """Verifies access tokens of one issuer (`iss`) for one audience (`aud`)."""

    _issuer: str
    _audience: str
    _keys: IssuerKeys
    _clock: Callable[[], float] = time.time
    _verified: dict[bytes, _VerifiedToken] = {}
    _key_changes: int = 0

    def recognizes(self, token: bytes) -> bool:
        """Return whether a token is in the cache of verified tokens."""
        return self._cached(sha256(token).digest()) is not None

    async def find(self, token: bytes) -> Principal:
        """Return the holder of a token. Raises CredentialError if it is not valid, and Problem (503)."""
        self._keys.refresh_if_stale()
        if self._key_changes != self._keys.changes:
            self._verified.clear()  # the keys that signed them may be withdrawn
            self._key_changes = self._keys.changes
        digest = sha256(token).digest()
        if (verified := self._cached(digest)) is None:
            verified = self._verified[digest] = await self._verify(token)
            if len(self._verified) > _MAX_CACHED_TOKENS:
                del self._verified[next(iter(self._verified))]
        return verified.principal

    def _cached(self, digest: bytes) -> _VerifiedToken | None:
        verified = self._verified.get(digest)
        return verified if verified is not None and verified.cached_until > self._clock() else None

    async def _verify(self, token: bytes) -> _VerifiedToken:
        try:
            header = jwt.get_unverified_header(token)
        except _MALFORMED as error:
            raise _rejection(error) from None
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise CredentialError("token: an algorithm that is not accepted")
        if (kind is not None and str(kind).lower() not in _TYPES) or "crit" in header:
            raise CredentialError("token: not an access token")
        key = await self._keys.find(algorithm, kid)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED_CLAIMS},
            )
            expires_at = float(claims["exp"]) + _LEEWAY_SECONDS
        except _MALFORMED as error:
            raise _rejection(error) from None
        if not _SUBJECT.fullmatch(claims["sub"]):
            raise CredentialError("token: a subject that cannot be logged safely")
        principal = Principal(
            f"jwt:{claims['sub']}",
            frozenset(as_scopes(_granted(claims))),
            credential=f"jwt:{self._issuer}",
            original_credential=f"jwt:{self._issuer}",
            expires_at=expires_at,
        )
        return _VerifiedToken(principal, min(expires_at, self._clock() + _CACHE_SECONDS))


def _granted(claims: Mapping[str, Any]) -> list[str]:
    """Return the scopes of a token: `scope` is a space-separated string (RFC 9068), `scp` that or a list."""
    granted = claims.get("scope", claims.get("scp"))
    if isinstance(granted, str):
        return granted.split(" ")
    return [scope for scope in granted if isinstance(scope, str)] if isinstance(granted, list) else []


def _rejection(error: Exception) -> CredentialError:
    return CredentialError(f"token: {type(error).__name__}")
