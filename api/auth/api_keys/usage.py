"""When keys were last used: noted in memory, and now and then, for all of them at once, in the table."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog

from api.auth.api_keys.store import note_uses, now
from eventstore.database.database import Database
from eventstore.errors import OutcomeUnknownError, UnavailableError

log = structlog.get_logger()

#: Seconds between two times that uses are stored. Each is one short transaction, in which nobody's request waits but
#: those who write then: on SQLite there is one writer.
_INTERVAL = 300.0
#: Seconds that a stop waits for the last of them.
_STOP_SECONDS = 1.0


class KeyUsage:
    """Notes uses of keys, and stores them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[str, int] = {}

    def note(self, key_id: str) -> None:
        """Note that the key is used now."""
        self._noted[key_id] = now()

    @asynccontextmanager
    async def kept(self, interval: float = _INTERVAL) -> AsyncIterator[None]:
        """Store what is noted every `interval` seconds until the block ends, and once more then."""
        task = asyncio.create_task(self._keep(interval), name="key uses")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self.store()

    async def _keep(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.store()

    async def store(self) -> None:
        """Store what was noted since the last time; where that fails it is lost, and the log says so."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            await self._database.write(partial(note_uses, uses=noted))
        except (UnavailableError, OutcomeUnknownError):
            pass  # whoever answers requests says so
        except Exception:
            log.exception("the uses of keys were not stored")
