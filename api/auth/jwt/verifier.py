"""Access tokens (JWT): who shows one that the issuer signed for this service, as RFC 8725 wants it checked.

What a token says of itself chooses nothing but one key among those that the issuer publishes: the algorithm is that
key's, and header fields that bring or name keys (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
"""

import re
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import jwt

from api.auth.jwt.jwks import ALGORITHMS, PublishedKeys
from api.auth.principal import CredentialError, Principal
from api.auth.scopes import as_scopes

#: Seconds by which clocks may differ.
_LEEWAY = 30
#: Seconds for which a token is not verified again.
_REMEMBERED_SECONDS = 300.0
_MOST_REMEMBERED = 4096
_REQUIRED = ["iss", "aud", "exp", "nbf", "sub"]
#: An access token, or what does not say what it is: no logout token, no event.
_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
#: ASCII, as OpenID Connect has it; and no space, so that no log and no shell misreads it.
_SUBJECT = re.compile(r"[!-~]{1,255}")

_MALFORMED = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class _Known(NamedTuple):
    principal: Principal
    until: float


class JwtVerifier:
    """Knows the holders of access tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, keys: PublishedKeys, clock: Callable[[], float] = time.time) -> None:
        """Take tokens whose `iss` is `issuer`, whose `aud` has `audience`, signed by one of `keys`."""
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._known: dict[bytes, _Known] = {}
        self._changes = 0

    def knows(self, token: bytes) -> bool:
        """Tell whether a token was found good, and need not be verified again yet."""
        known = self._known.get(sha256(token).digest())
        return known is not None and known.until > self._clock()

    async def find(self, token: bytes) -> Principal:
        """Give the holder of a token. Raises CredentialError where it is not good, and Problem (503)."""
        self._keys.freshen()
        if self._changes != self._keys.changes:
            self._known.clear()  # what vouched for them may be gone
            self._changes = self._keys.changes
        digest = sha256(token).digest()
        known = self._known.get(digest)
        if known is None or known.until <= self._clock():
            known = self._known[digest] = await self._verify(token)
            if len(self._known) > _MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
        return known.principal

    async def _verify(self, token: bytes) -> _Known:
        try:
            header = jwt.get_unverified_header(token)
        except _MALFORMED as error:
            raise _refused(error) from None
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise CredentialError("token: an algorithm that is not taken")
        if (kind is not None and str(kind).lower() not in _TYPES) or "crit" in header:
            raise CredentialError("token: no access token")
        key = await self._keys.find(algorithm, kid)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=_LEEWAY,
                options={"require": _REQUIRED},
            )
            expires_at = float(claims["exp"]) + _LEEWAY
        except _MALFORMED as error:
            raise _refused(error) from None
        if not _SUBJECT.fullmatch(claims["sub"]):
            raise CredentialError("token: a subject that can't be written down")
        principal = Principal(f"jwt:{claims['sub']}", frozenset(as_scopes(_granted(claims))), expires_at=expires_at)
        return _Known(principal, min(expires_at, self._clock() + _REMEMBERED_SECONDS))


def _granted(claims: Mapping[str, Any]) -> list[str]:
    """Give the scopes of a token: `scope` is a text with spaces (RFC 9068), `scp` that or a list."""
    granted = claims.get("scope", claims.get("scp"))
    if isinstance(granted, str):
        return granted.split(" ")
    return [scope for scope in granted if isinstance(scope, str)] if isinstance(granted, list) else []


def _refused(error: Exception) -> CredentialError:
    return CredentialError(f"token: {type(error).__name__}")
