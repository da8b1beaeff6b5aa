"""Last uses of API keys: collected in memory and saved to the table now and then, and audit lines for key changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog

from api.auth.api_keys.store import NewKey, save_uses
from api.auth.api_keys.table import ApiKey
from api.logs import audit
from eventstore.clock import now
from eventstore.database.database import Database
from eventstore.errors import OutcomeUnknownError, UnavailableError

log = structlog.get_logger()

_SAVE_INTERVAL_SECONDS = 300.0  # each save is one short transaction, for which other writes wait on SQLite
_STOP_SECONDS = 1.0  # how long a stop waits for the last save


def log_change(change: str, key: ApiKey, by: str, credential: str | None, **more: object) -> None:
    """Log that `key` was "created", "rotated" or "revoked", by whom and by which credential, whatever the log level."""
    author = {"by": by, "credential": credential}
    audit.info(f"API key {change}", key_id=key.id, name=key.name, scopes=key.scopes, **author, **more)


def log_new(change: str, new: NewKey, by: str, credential: str | None, **more: object) -> None:
    """Log that a key was "created" or "rotated", as `log_change`, and which keys its name had before."""
    earlier = {"earlier_keys": [key.id for key in new.earlier]} if new.earlier else {}
    log_change(change, new.key, by, credential, **earlier, **more)


class KeyUsage:
    """Collects the last uses of keys, and saves them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unsaved: dict[str, int] = {}

    def record(self, key_id: str) -> None:
        """Record that the key is used now."""
        self._unsaved[key_id] = now()

    @asynccontextmanager
    async def saving(self, interval: float = _SAVE_INTERVAL_SECONDS) -> AsyncIterator[None]:
        """Save the uses every `interval` seconds until the block ends, and once more then."""

        async def save_repeatedly() -> None:
            while True:
                await asyncio.sleep(interval)
                await self.save()

        task = asyncio.create_task(save_repeatedly(), name="key usage")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self.save()

    async def save(self) -> None:
        """Save the uses since the last time. If that fails they are lost, which is logged."""
        uses, self._unsaved = self._unsaved, {}
        if not uses:
            return
        try:
            await self._database.write(partial(save_uses, uses=uses))
        except (UnavailableError, OutcomeUnknownError):
            pass  # requests fail with it too, and log it
        except Exception:
            log.exception("could not save API key last-used times")
