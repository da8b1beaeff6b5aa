"""Fills a shadow table as a pipeline: one chunk is read and the next folded while the one before is written."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.events import ItemEvent
from eventstore.log.transitions import ItemStates
from projections.rebuild.replay import AdaptivePacer, Folded, fold
from projections.rebuild.replay_checkpoint import ReplayCheckpoint
from projections.rebuild.shadow import Shadow

A = TypeVar("A")
B = TypeVar("B")


class Chunk(Struct, frozen=True):
    """A run of events as it was read."""

    #: Cleared once they are folded.
    events: list[ItemEvent]
    #: The replay checkpoint behind them.
    cursor: ReplayCheckpoint
    #: Whether they reach the end of the log.
    last: bool = False


class ShadowLoader:
    """Fills the table of `shadow`, as its only writer."""

    def __init__(
        self, database: Database, shadow: Shadow, throttle: float | None, on_write: Callable[[Folded], None]
    ) -> None:
        """Fold at most `throttle` events a second. `on_write` is called after each chunk is written."""
        self._database = database
        self._shadow = shadow
        self._on_write = on_write
        self._pacer = AdaptivePacer(throttle)
        #: The states of items at the shadow table's replay checkpoint.
        self.states = ItemStates()
        #: The log's last known position, and the number of events that were folded.
        self.target = 0
        self.events = 0

    @property
    def rate(self) -> float:
        """Recent events a second."""
        return self._pacer.rate

    async def fill(self, check_stop: Callable[[], None]) -> None:
        """Fold the log into the shadow table up to its end. `check_stop` is called between chunks, and may raise.

        Raises what `ReplayCheckpoint.read` and a fold raise, UnavailableError, OutcomeUnknownError and OvertakenError.
        """
        cursor, pending = self._shadow.cursor, None
        # Reading takes longest, and never waits for the other steps: it is one chunk ahead of what is folded.
        read = asyncio.create_task(self._read(Chunk([], cursor)))
        ahead = asyncio.create_task(self._read_behind(read))
        try:
            while events := (await read).events:
                read, ahead = ahead, asyncio.create_task(self._read_behind(ahead))
                check_stop()
                pause, folded = await _both(self._write(pending), self._fold(cursor, events))
                cursor, pending = folded.cursor, folded
                await asyncio.sleep(pause)
            check_stop()
            await self._write(pending)
        except BaseException:
            self.states = ItemStates()  # they may be ahead of what was written
            raise
        finally:
            ahead.cancel()
            read.cancel()
            await asyncio.gather(read, ahead, return_exceptions=True)

    async def _read_behind(self, before: Awaitable[Chunk]) -> Chunk:
        return await self._read(await before)

    async def _read(self, before: Chunk) -> Chunk:
        cursor, size = before.cursor, self._pacer.size
        if before.last:
            return Chunk([], cursor, last=True)
        events = await self._database.read_transaction(lambda connection: cursor.read(connection, size))
        return Chunk(events, cursor.behind(events) if events else cursor, last=cursor.whole and len(events) < size)

    async def _fold(self, cursor: ReplayCheckpoint, events: list[ItemEvent]) -> Folded:
        projection, states = self._shadow.projection, self.states

        def work(connection: Connection) -> Folded:
            folded = fold(connection, projection, states, cursor, events)
            # Free them here, while other steps run. Later the event loop would do it, and everything would wait.
            events.clear()
            return folded

        return await self._database.read_transaction(work)

    async def _write(self, folded: Folded | None) -> float:
        """Write a chunk, if there is one; return the seconds to pause then."""
        if folded is None:
            return 0.0

        def work(connection: Connection) -> tuple[int, float]:
            started = monotonic()
            return self._shadow.write(connection, folded, self.rate), monotonic() - started

        target, seconds = await self._database.write(work)
        pause = self._pacer.pause_after(folded.events, seconds, uncontended=target == self.target)
        self.target = target
        self.events += folded.events
        self._on_write(folded)
        return pause


async def _both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Wait for both, then raise the exception of one, if any. A TaskGroup would cancel the other instead."""
    results = await asyncio.gather(first, second, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]  # neither is an exception
