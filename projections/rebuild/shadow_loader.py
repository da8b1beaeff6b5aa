"""A shadow table on its way to where the log is: while a chunk is written, the next is folded, and others are read."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.events import ItemEvent
from projections.rebuild.replay import AdaptivePacer, Folded, fold
from projections.rebuild.replay_checkpoint import ReplayCheckpoint
from projections.rebuild.shadow import Shadow

A = TypeVar("A")
B = TypeVar("B")


class Chunk(Struct, frozen=True):
    """A run of events as it was read."""

    #: Those who fold them may take them out.
    events: list[ItemEvent]
    #: Where a replay is behind them.
    cursor: ReplayCheckpoint
    #: Whether they reach the end of the log.
    last: bool = False


class ShadowLoader:
    """Fills the table of `shadow`. Nobody else writes to it meanwhile."""

    def __init__(
        self, database: Database, shadow: Shadow, throttle: float | None, tell: Callable[[Folded], None]
    ) -> None:
        """Fold at most `throttle` events a second. `tell` is called with each chunk that was written."""
        self._database = database
        self._shadow = shadow
        self._tell = tell
        self._pace = AdaptivePacer(throttle)
        #: Where the log was last, and how many events were folded.
        self.target = 0
        self.events = 0

    @property
    def rate(self) -> float:
        """Events a second, lately."""
        return self._pace.rate

    async def fill(self, go_on: Callable[[], None]) -> None:
        """Fold the log into the shadow table, until little is left of it. `go_on` may raise, between two chunks.

        Raises what `ReplayCheckpoint.read` and a fold raise, UnavailableError, OutcomeUnknownError and OvertakenError.
        """
        cursor, pending = self._shadow.cursor, None
        # Reading takes longest, and never waits for the others: it is a chunk ahead of what is folded.
        read = asyncio.create_task(self._read(Chunk([], cursor)))
        ahead = asyncio.create_task(self._read_behind(read))
        try:
            while events := (await read).events:
                read, ahead = ahead, asyncio.create_task(self._read_behind(ahead))
                go_on()
                rest, folded = await _both(self._write(pending), self._fold(cursor, events, pending))
                cursor, pending = folded.cursor, folded
                await asyncio.sleep(rest)
            go_on()
            await self._write(pending)
        finally:
            ahead.cancel()
            read.cancel()
            await asyncio.gather(read, ahead, return_exceptions=True)

    async def _read_behind(self, before: Awaitable[Chunk]) -> Chunk:
        return await self._read(await before)

    async def _read(self, before: Chunk) -> Chunk:
        cursor, size = before.cursor, self._pace.size
        if before.last:
            return Chunk([], cursor, last=True)
        events = await self._database.read_transaction(lambda connection: cursor.read(connection, size))
        return Chunk(events, cursor.behind(events) if events else cursor, last=cursor.whole and len(events) < size)

    async def _fold(self, cursor: ReplayCheckpoint, events: list[ItemEvent], pending: Folded | None) -> Folded:
        projection, table = self._shadow.projection, self._shadow.table

        def work(connection: Connection) -> Folded:
            folded = fold(connection, projection, table, cursor, events, pending)
            # Here, where others work meanwhile. At the next chunk the event loop would do it, and all would wait.
            events.clear()
            return folded

        return await self._database.read_transaction(work)

    async def _write(self, folded: Folded | None) -> float:
        """Write a chunk, if there is one; give the seconds to rest then."""
        if folded is None:
            return 0.0

        def work(connection: Connection) -> tuple[int, float]:
            began = monotonic()
            return self._shadow.write(connection, folded, self.rate), monotonic() - began

        target, took = await self._database.write(work)
        rest = self._pace.rest(folded.events, took, alone=target == self.target)
        self.target = target
        self.events += folded.events
        self._tell(folded)
        return rest


async def _both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Wait for both. Raises what one of them raises once none is under way any more."""
    done = await asyncio.gather(first, second, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return done  # type: ignore[return-value]  # none of them is an exception
