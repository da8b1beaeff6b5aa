"""A cache of all API keys, at most a second older than the table, so that requests need no query."""

import asyncio
from collections.abc import Sequence
from hmac import compare_digest
from time import monotonic
from typing import NamedTuple

from sqlalchemy import exists, func, select

from api.auth.api_keys.first_key import first_api_key
from api.auth.api_keys.format import ParsedKey
from api.auth.api_keys.table import ApiKey, api_keys, as_key
from api.auth.principal import CredentialError, Principal
from eventstore.batching import Batched
from eventstore.clock import now
from eventstore.database.database import Database

#: The age at which the keys are read again before one is accepted. A revoked key is accepted at most this long.
FRESH_SECONDS = 1.0
#: How long one read may take. Every request waits for one; the next begins beside one that gets no answer.
_READ_SECONDS = 3.0
_READ_PAUSE_SECONDS = 0.05  # the least time between two reads, so that unknown keys cause few queries

#: Every change of a row adds one, in whatever order the changes commit. And whether there ever was a key.
_CHANGES = select(func.coalesce(func.sum(api_keys.c.revision), 0), exists(select(first_api_key.c.id)))


class _Entry(NamedTuple):
    digest: bytes
    key: ApiKey
    principal: Principal


class ApiKeyCache:
    """Holds every key ever created. Reads them again if they are not fresh, or if a request shows an unknown key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries: dict[str, _Entry] = {}
        self._changes = -1
        self._had_key = False
        self._read_at = float("-inf")
        self._reads = Batched(self._read, max_loads=2, timeout_seconds=_READ_SECONDS)

    async def is_empty(self) -> bool:
        """Return whether no key was ever created. Raises UnavailableError."""
        if self._is_stale():
            await self._reads.get(None)
        return not (self._had_key or self._entries)

    async def has_active_key(self) -> bool:
        """Return whether any key is active. Raises UnavailableError."""
        if self._is_stale():
            await self._reads.get(None)
        return any(entry.key.is_active(now()) for entry in self._entries.values())

    def recognizes(self, key: ParsedKey) -> bool:
        """Return whether a key was active when the keys were last read."""
        entry = self._match(key)
        return entry is not None and entry.key.is_active(now())

    async def find(self, key: ParsedKey) -> Principal:
        """Return the holder of a key. Raises CredentialError if it is not active, and UnavailableError.

        Every process accepts a new key at once, and rejects a revoked one after at most FRESH_SECONDS. An unknown id
        and a wrong secret take the same path, and so the same time.
        """
        if self._is_stale():
            await self._reads.get(None)
        if (entry := self._match(key)) is None:
            await self._reads.get(None)  # it may have been created a moment ago
            if (entry := self._match(key)) is None:
                raise CredentialError("unknown key", key.id)
        if not entry.key.is_active(now()):
            raise CredentialError("expired key" if entry.key.revoked_at is None else "revoked key", key.id)
        return entry.principal

    def _is_stale(self) -> bool:
        return monotonic() - self._read_at > FRESH_SECONDS

    def _match(self, key: ParsedKey) -> _Entry | None:
        entry = self._entries.get(key.id)
        return entry if compare_digest(bytes(32) if entry is None else entry.digest, key.digest) else None

    async def _read(self, requests: Sequence[None]) -> dict[None, None]:
        await asyncio.sleep(max(0.0, self._read_at + _READ_PAUSE_SECONDS - monotonic()))
        started_at = monotonic()
        [[changes, had_key]] = map(tuple, await self._database.read(_CHANGES))
        self._had_key |= bool(had_key)  # once for ever
        rows = await self._database.read(select(api_keys)) if changes != self._changes else None
        if started_at < self._read_at:  # a read that began later was faster
            return dict.fromkeys(requests)
        if rows is not None:
            self._entries = {row.id: _Entry(row.digest, key := as_key(row), _holder(key)) for row in rows}
            self._changes = sum(row.revision for row in rows)
        self._read_at = started_at
        return dict.fromkeys(requests)


def _holder(key: ApiKey) -> Principal:
    expires_at = None if key.expires_at is None else key.expires_at / 1e6
    credentials = (key.credential, key.original_credential)
    return Principal(key.name, frozenset(key.scopes), *credentials, key.id, expires_at)
