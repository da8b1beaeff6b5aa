"""The gate: tells who makes a request, and whether they may, before anything of its body is read.

It is closed unless it is known to be open: whoever shows no credential comes in only where no key was ever made and no
token would be taken, and then only from this machine. A credential that is shown is checked, whoever would come in
without.
"""

import re
from collections.abc import Collection, Mapping
from time import time

import structlog

from api.auth.api_keys.cache import ApiKeyCache
from api.auth.api_keys.format import PREFIX, read_key
from api.auth.api_keys.usage import KeyUsage
from api.auth.jwt.verifier import JwtVerifier
from api.auth.local_requests import is_local
from api.auth.principal import ANYBODY, CredentialError, Principal
from api.auth.scopes import Scope, Unscoped
from api.http.problems import CREDENTIAL_INVALID, CREDENTIAL_REQUIRED, INSUFFICIENT_SCOPE, Problem
from api.http.responses import Headers

log = structlog.get_logger()

#: RFC 6750, section 2.1; the name of a scheme has no case (RFC 9110, section 11.1).
_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/-]{1,8192}=*)", re.IGNORECASE)
_KEY_PREFIX = PREFIX.encode()


class Authenticator:
    """Lets in who shows an API key or an access token; and anybody, where there are neither."""

    def __init__(
        self,
        ring: ApiKeyCache,
        uses: KeyUsage,
        tokens: JwtVerifier | None = None,
        *,
        origins: Collection[str] = (),
        insecure: bool = False,
    ) -> None:
        """Let in who shows a key of `ring` or one of `tokens`; without either, whoever is on this machine.

        Pages of `origins` count as that. `insecure`: without either let in anybody from anywhere.
        """
        self._ring = ring
        self._uses = uses
        self._tokens = tokens
        self._origins = origins
        self._insecure = insecure

    async def authenticate(self, headers: Mapping[bytes, bytes], address: str) -> Principal:
        """Tell who makes a request with these headers, from this IP address.

        Several `Authorization` headers are one with commas, which is none that we take. Raises Problem (401), and
        UnavailableError or Problem (503) where that can't be told for now.
        """
        authorization = headers.get(b"authorization")
        if authorization is None:
            if await self._is_open() and (self._insecure or is_local(address, headers, self._origins)):
                return ANYBODY
            raise Problem(CREDENTIAL_REQUIRED, headers=_challenge(), extra_log_fields={"reason": "no credential"})
        try:
            return await self._holder(authorization)
        except CredentialError as error:
            noted = {"reason": error.reason, **({"key_id": error.key_id} if error.key_id else {})}
            raise Problem(
                CREDENTIAL_INVALID, headers=_challenge(error="invalid_token"), extra_log_fields=noted
            ) from None

    def knows(self, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether these headers show a credential that was good when it was looked at last, without any I/O."""
        match = _BEARER.fullmatch(headers.get(b"authorization", b""))
        if match is None:
            return False
        if (presented := read_key(match[1])) is not None:
            return self._ring.knows(presented)
        return self._tokens is not None and self._tokens.knows(match[1])

    async def still_admits(self, principal: Principal) -> bool:
        """Tell whether whoever was let in would be let in now, for an answer that takes long.

        Raises UnavailableError where that can't be told for now.
        """
        if principal.key_id is not None:
            return await self._ring.is_active(principal.key_id)
        if principal.expires_at is not None:
            return time() < principal.expires_at
        return await self._is_open()

    async def log_auth_mode(self) -> None:
        """Write a line to the log, for those who start the service. Raises UnavailableError."""
        if not await self._is_open():
            log.info("credentials are required")
        elif self._insecure:
            log.warning("no credentials exist, and anybody from anywhere is let in as anonymous, with every scope")
        else:
            log.warning("no credentials exist: whoever is on this machine is let in as anonymous, with every scope")

    async def _is_open(self) -> bool:
        return self._tokens is None and await self._ring.is_empty()

    async def _holder(self, authorization: bytes) -> Principal:
        match = _BEARER.fullmatch(authorization)
        if match is None:
            raise CredentialError("malformed header")
        credential = match[1]
        if not credential.startswith(_KEY_PREFIX):
            if self._tokens is None:
                raise CredentialError("token: none are taken")
            return await self._tokens.find(credential)
        presented = read_key(credential)
        if presented is None:
            raise CredentialError("malformed key")
        holder = await self._ring.find(presented)
        self._uses.note(presented.id)
        return holder


def authorize(principal: Principal, wanted: Scope | Unscoped) -> None:
    """Return where `principal` may use a route that asks for `wanted`. Raises Problem (403), naming what is missing."""
    if isinstance(wanted, Scope) and wanted not in principal.scopes:
        raise Problem(
            INSUFFICIENT_SCOPE,
            f"The credential lacks the scope {wanted}",
            headers=_challenge(error="insufficient_scope", scope=wanted.value),
            extra_log_fields={"key_id": principal.key_id, "scope": wanted.value},
        )


def _challenge(**parameters: str) -> Headers:
    """Write `WWW-Authenticate` (RFC 6750, section 3)."""
    written = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return ((b"www-authenticate", f"Bearer {written}".strip().encode()),)
