"""Authentication: finds out which client makes a request, before anything of the request's body is read.

A request without a credential is accepted only if no API key was ever created and no token issuer is configured, and
then only from this machine. A credential that a request shows is always checked, even if none is required.
"""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct

from api.auth.api_keys.cache import ApiKeyCache
from api.auth.api_keys.format import PREFIX, read_key
from api.auth.api_keys.usage import KeyUsage
from api.auth.principal import ANYBODY, CredentialError, Principal
from api.auth.scopes import Scope, Unscoped
from api.http.client_address import is_local
from api.http.problems import CREDENTIAL_INVALID, CREDENTIAL_REQUIRED, INSUFFICIENT_SCOPE, Problem
from api.http.responses import Headers

if TYPE_CHECKING:
    from api.auth.jwt.verifier import JwtVerifier  # imports PyJWT, which only a configured issuer needs

log = structlog.get_logger()

#: RFC 6750, section 2.1. The name of a scheme is case-insensitive (RFC 9110, section 11.1).
_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/-]{1,8192}=*)", re.IGNORECASE)
_KEY_PREFIX = PREFIX.encode()


class Authenticator(Struct, eq=False):
    """Accepts requests with an API key or an access token, and those without while neither is in use."""

    _key_cache: ApiKeyCache
    _key_usage: KeyUsage
    _jwt_verifier: "JwtVerifier | None"
    origins: Collection[str]  # pages of these count as local while no credentials exist
    insecure: bool  # whether remote requests are accepted too while no credentials exist

    async def authenticate(self, headers: Mapping[bytes, bytes], address: str) -> Principal:
        """Return the principal of a request with these headers from this IP address.

        Several `Authorization` headers arrive joined by commas, which is not a valid value. Raises Problem (401), and
        UnavailableError or Problem (503) if the credential cannot be checked for now.
        """
        authorization = headers.get(b"authorization")
        if authorization is None:
            if await self._is_open() and (self.insecure or is_local(address, headers, self.origins)):
                return ANYBODY
            raise Problem(CREDENTIAL_REQUIRED, headers=_challenge(), extra_log_fields={"reason": "no credential"})
        try:
            return await self._holder(authorization)
        except CredentialError as error:
            raise rejection(error) from None

    def recognizes(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether the credential in these headers was valid when it was last checked, without any I/O."""
        if (match := _BEARER.fullmatch(headers.get(b"authorization", b""))) is None:
            return False
        if (key := read_key(match[1])) is not None:
            return self._key_cache.recognizes(key)
        return self._jwt_verifier is not None and self._jwt_verifier.recognizes(match[1])

    async def log_auth_mode(self) -> None:
        """Log, at the start, whether credentials are required. Raises UnavailableError."""
        if not await self._is_open():
            log.info("credentials are required")
        elif self.insecure:
            log.warning(
                "authentication is off and remote access is on (--insecure-no-auth): "
                'all requests are accepted as "anonymous" with all scopes'
            )
        else:
            log.warning(
                "authentication is off (no API keys, no JWT issuer): "
                'local requests are accepted as "anonymous" with all scopes'
            )

    async def _is_open(self) -> bool:
        return self._jwt_verifier is None and await self._key_cache.is_empty()

    async def _holder(self, authorization: bytes) -> Principal:
        if (match := _BEARER.fullmatch(authorization)) is None:
            raise CredentialError("malformed header")
        credential = match[1]
        if not credential.startswith(_KEY_PREFIX):
            if self._jwt_verifier is None:
                raise CredentialError("token: no issuer is configured")
            return await self._jwt_verifier.find(credential)
        if (key := read_key(credential)) is None:
            raise CredentialError("malformed key")
        holder = await self._key_cache.find(key)
        self._key_usage.record(key.id)
        return holder


def rejection(error: CredentialError) -> Problem:
    """Return the problem (401) for a credential that is not valid."""
    log_fields = {"reason": error.reason, **({"key_id": error.key_id} if error.key_id else {})}
    return Problem(CREDENTIAL_INVALID, headers=_challenge(error="invalid_token"), extra_log_fields=log_fields)


def authorize(principal: Principal, required: Scope | Unscoped) -> None:
    """Check that `principal` has the scope that a route requires. Raises Problem (403), which names the scope."""
    if isinstance(required, Scope) and required not in principal.scopes:
        raise Problem(
            INSUFFICIENT_SCOPE,
            f"The credential lacks the scope {required}",
            headers=_challenge(error="insufficient_scope", scope=required.value),
            extra_log_fields={"key_id": principal.key_id, "scope": required.value},
        )


def _challenge(**parameters: str) -> Headers:
    """Write `WWW-Authenticate` (RFC 6750, section 3)."""
    written = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return ((b"www-authenticate", f"Bearer {written}".strip().encode()),)
