"""The event streams that a process has open, their limits, and the tail of the log that they read."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import NoReturn

import structlog

from api.events import sse
from api.http.problems import QUOTA_EXCEEDED, STOPPING, TOO_MANY_STREAMS, Problem
from eventstore.batching import Batched
from eventstore.database.database import Database
from eventstore.errors import InconsistentLogError, UnavailableError
from eventstore.log.history import StoredEvent
from eventstore.log.tail import Tail

log = structlog.get_logger()

#: The pause before the log is followed again after an error.
_RETRY_PAUSE_SECONDS = 1.0
#: When a client with too many streams may try again.
_RETRY_AFTER_SECONDS = 5

#: An event as streams send it, or why it cannot be sent. The others do not wait for it.
Prepared = bytes | InconsistentLogError


def _prepare(event: StoredEvent) -> Prepared:
    try:
        return sse.encode_event(event)
    except InconsistentLogError as error:
        return error


class Feed:
    """The open streams of this process: at most `max_streams`, at most `max_client_streams` for each client.

    A stream ends after `lifetime` seconds, and sends something at least every `heartbeat` seconds.
    """

    def __init__(
        self, database: Database, *, max_streams: int, max_client_streams: int, lifetime: float, heartbeat: float = 10.0
    ) -> None:
        self._database = database
        self._max_streams = max_streams
        self._max_client_streams = max_client_streams
        self._client_streams = Counter[str | None]()
        self.lifetime_seconds = lifetime
        self.heartbeat_seconds = heartbeat
        self.tail: Tail[Prepared] = Tail(database, _prepare)
        self.open_streams = 0
        self.stopped = False
        self._committed = asyncio.Event()
        # Many clients reconnect at the same time when a server is lost: they share a read.
        self._heads: Batched[None, int] = Batched(self._read_head)

    async def head(self) -> int:
        """Return the position of the log's last event. Raises UnavailableError."""
        return await self._heads.get(None)

    async def _read_head(self, keys: Sequence[None]) -> dict[None, int]:
        return dict.fromkeys(keys, await self.tail.head())

    def on_commit(self) -> None:
        """Wake the streams after this process has committed events."""
        self.tail.wake()
        self._committed.set()

    def stop(self) -> None:
        """End every stream and refuse new ones. Clients reconnect to another process."""
        self.stopped = True
        self.tail.wake_subscribers()

    @contextmanager
    def reserve(self, client: str | None) -> Iterator[None]:
        """Count one more stream of `client` (None: not limited by client) until the end. Raises Problem (503, 429)."""
        if self.stopped:
            raise Problem(STOPPING)
        if self.open_streams >= self._max_streams:
            raise Problem(TOO_MANY_STREAMS)
        if client is not None and self._client_streams[client] >= self._max_client_streams:
            detail = f"Too many open streams: a client may have {self._max_client_streams}"
            raise Problem(QUOTA_EXCEEDED, detail, retry_after=_RETRY_AFTER_SECONDS, violated_policies=("streams",))
        self.open_streams += 1
        self._client_streams[client] += 1
        try:
            yield
        finally:
            self.open_streams -= 1
            self._client_streams[client] -= 1
            if not self._client_streams[client]:
                del self._client_streams[client]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the log until the block ends, then end every stream."""
        relay = partial(self._database.relay_notifications, self._committed, self.tail.wake)
        tasks = [
            asyncio.create_task(_run_forever(self.tail.run), name="tail"),
            asyncio.create_task(_run_forever(relay), name="relay"),
        ]
        try:
            yield
        finally:
            self.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _run_forever(work: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
    """Run `work` again after every error."""
    last_error = None
    while True:
        try:
            await work()
        except UnavailableError:
            pass  # logged where requests fail
        except Exception as error:
            # The same error in a row is logged once.
            if repr(error) != last_error:
                log.exception("following the log failed")
            last_error = repr(error)
        await asyncio.sleep(_RETRY_PAUSE_SECONDS)
