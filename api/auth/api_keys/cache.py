"""The API keys in this process: as the table has them, to within a second, without a query for every request."""

import asyncio
from collections.abc import Sequence
from hmac import compare_digest
from time import monotonic
from typing import NamedTuple

from sqlalchemy import func, select

from api.auth.api_keys.format import ParsedKey
from api.auth.api_keys.store import ApiKey, api_keys, as_key, now
from api.auth.principal import CredentialError, Principal
from eventstore.database.batching import Batched
from eventstore.database.database import Database

#: Seconds after which the keys are read again before one is taken: for so long one that was revoked may still be good.
FRESH_SECONDS = 1.0
#: Seconds between two readings at least, so that whoever shows keys that are none causes no more of them.
_PAUSE_SECONDS = 0.05

#: Every change of a row adds one to it, in whatever order the changes are committed.
_CHANGES = select(func.coalesce(func.sum(api_keys.c.revision), 0))


class _Held(NamedTuple):
    digest: bytes
    key: ApiKey
    principal: Principal


class ApiKeyCache:
    """Knows every key there ever was; reads them anew where that was long ago, or one is shown that it can't place."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[str, _Held] = {}
        self._changes = -1
        self._read_at = float("-inf")
        self._reading = Batched(self._read)

    async def is_empty(self) -> bool:
        """Tell whether there never was a key. Raises UnavailableError."""
        await self._freshen()
        return not self._held

    async def has_good_key(self) -> bool:
        """Tell whether there is a key that lets somebody in. Raises UnavailableError."""
        await self._freshen()
        return any(held.key.is_active(now()) for held in self._held.values())

    def knows(self, presented: ParsedKey) -> bool:
        """Tell whether a key was good when the keys were read last."""
        held = self._match(presented)
        return held is not None and held.key.is_active(now())

    async def is_active(self, key_id: str) -> bool:
        """Tell whether the key that has this id lets its holder in. Raises UnavailableError."""
        await self._freshen()
        held = self._held.get(key_id)
        return held is not None and held.key.is_active(now())

    async def find(self, presented: ParsedKey) -> Principal:
        """Give the holder of a key. Raises CredentialError where it is not good, and UnavailableError.

        A key is known as soon as it is made, on every process, and is good no longer FRESH_SECONDS after it was
        revoked. An id that nobody has and a wrong secret take the same way, and so the same time.
        """
        await self._freshen()
        held = self._match(presented)
        if held is None:
            await self._reading.get(None)  # it was made a moment ago, perhaps
            held = self._match(presented)
            if held is None:
                raise CredentialError("unknown key", presented.id)
        if not held.key.is_active(now()):
            raise CredentialError("expired key" if held.key.revoked_at is None else "revoked key", presented.id)
        return held.principal

    async def _freshen(self) -> None:
        if monotonic() - self._read_at > FRESH_SECONDS:
            await self._reading.get(None)

    def _match(self, presented: ParsedKey) -> _Held | None:
        held = self._held.get(presented.id)
        same = compare_digest(bytes(32) if held is None else held.digest, presented.digest)
        return held if same else None

    async def _read(self, asked: Sequence[None]) -> dict[None, None]:
        await asyncio.sleep(max(0.0, self._read_at + _PAUSE_SECONDS - monotonic()))
        began = monotonic()
        [(changes,)] = await self._database.read(_CHANGES)
        if changes != self._changes:
            rows = await self._database.read(select(api_keys))
            self._held = {row.id: _Held(row.digest, key := as_key(row), _holder(key)) for row in rows}
            self._changes = sum(row.revision for row in rows)
        self._read_at = began
        return dict.fromkeys(asked)


def _holder(key: ApiKey) -> Principal:
    return Principal(key.name, frozenset(key.scopes), key.id, None if key.expires_at is None else key.expires_at / 1e6)
