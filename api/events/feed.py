"""What the open event streams of a process are fed by, and how many there may be."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import NoReturn

import structlog

from api.events import sse
from api.http.problems import QUOTA_EXCEEDED, STOPPING, TOO_MANY_STREAMS, Problem
from eventstore.database.batching import Batched
from eventstore.database.database import Database
from eventstore.errors import UnavailableError
from eventstore.log.tail import Tail

log = structlog.get_logger()

#: Seconds between two tries to follow the log after one failed.
_PAUSE = 1.0
#: Seconds after which a client that has too many streams may try again.
_RETRY = 5


class Feed:
    """The open streams of this process, `max_streams` at most, `max_client_streams` a client, and what they are fed by.

    A stream ends after `lifetime` seconds, and is told something at least every `heartbeat` seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_streams: int,
        max_client_streams: int,
        lifetime: float,
        heartbeat: float = 10.0,
    ) -> None:
        self._database = database
        self._max_streams = max_streams
        self._max_client_streams = max_client_streams
        self._clients = Counter[str | None]()
        self.lifetime = lifetime
        self.heartbeat = heartbeat
        self.tail = Tail(database, sse.frame)
        self.streams = 0
        self.ended = False
        self._committed = asyncio.Event()
        # Many clients come back at once where one server was lost: they share a look.
        self._head: Batched[None, int] = Batched(self._load_head)

    async def head(self) -> int:
        """Give the position of the log's last event. Raises UnavailableError."""
        return await self._head.get(None)

    async def _load_head(self, keys: Sequence[None]) -> dict[None, int]:
        return dict.fromkeys(keys, await self.tail.head())

    def committed(self) -> None:
        """Say that this process has committed events."""
        self.tail.wake()
        self._committed.set()

    def end(self) -> None:
        """End every stream, and have no more: clients go on elsewhere."""
        self.ended = True
        self.tail.wake_subscribers()

    @contextmanager
    def place(self, client: str | None) -> Iterator[None]:
        """Take the place of one stream of `client`, if it is one that is counted. Raises Problem: 503, 429."""
        if self.ended:
            raise Problem(STOPPING)
        if self.streams >= self._max_streams:
            raise Problem(TOO_MANY_STREAMS)
        if client is not None and self._clients[client] >= self._max_client_streams:
            detail = f"A client may have {self._max_client_streams} streams open"
            raise Problem(QUOTA_EXCEEDED, detail, retry_after=_RETRY, violated_policies=("streams",))
        self.streams += 1
        self._clients[client] += 1
        try:
            yield
        finally:
            self.streams -= 1
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the log until the block ends, and then end every stream."""
        tasks = [
            asyncio.create_task(_persist(self.tail.run), name="tail"),
            asyncio.create_task(_persist(self._relay), name="relay"),
        ]
        try:
            yield
        finally:
            self.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay(self) -> NoReturn:
        await self._database.relay_notifications(self._committed, self.tail.wake)


async def _persist(work: Callable[[], Awaitable[NoReturn]]) -> NoReturn:
    """Have `work` done for ever, whatever it meets."""
    failure = None
    while True:
        try:
            await work()
        except UnavailableError:
            pass  # whoever answers requests says so
        except Exception as error:
            # What it meets again and again is said once.
            if (again := repr(error)) != failure:
                log.exception("following the log failed")
            failure = again
        await asyncio.sleep(_PAUSE)
