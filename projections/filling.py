"""A shadow table on its way to where the log is: while a chunk is written, the next is folded and one more is read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import TypeVar

from sqlalchemy import Connection

from eventstore.database import Database
from eventstore.events import Fact
from projections.cursor import Cursor
from projections.replay import Folded, Pace, fold
from projections.shadow import Shadow

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

#: Events that may be left of the log when a shadow table is said to be filled, about.
_NEAR = 200


class Filling:
    """Fills the table of `shadow`. Nobody else writes to it meanwhile."""

    def __init__(
        self, database: Database, shadow: Shadow, throttle: float | None, tell: Callable[[Folded], None]
    ) -> None:
        """Fold at most `throttle` events a second. `tell` is called with each chunk that was written."""
        self._database = database
        self._shadow = shadow
        self._tell = tell
        self._pace = Pace(throttle)
        #: Where the log was last, and how many events were folded.
        self.target = 0
        self.events = 0

    @property
    def rate(self) -> float:
        """Events a second, lately."""
        return self._pace.rate

    async def fill(self, go_on: Callable[[], None]) -> None:
        """Fold the log into the shadow table, until little is left of it. `go_on` may raise, between two chunks.

        Raises what `Cursor.read` and a fold raise, UnavailableError, OutcomeUnknownError and OvertakenError.
        """
        events: Sequence[Fact] = []
        folded: Folded | None = None
        while True:
            go_on()
            cursor = folded.cursor if folded else self._shadow.cursor
            ahead = cursor.behind(events) if events else cursor
            rest, folded, events = await _together(
                self._write(folded), self._fold(cursor, events, folded), self._read(ahead)
            )
            near = self.target - self._shadow.cursor.position <= _NEAR
            if not (folded or events) or (near and self._shadow.cursor.whole):
                return
            await asyncio.sleep(rest)

    async def _read(self, cursor: Cursor) -> Sequence[Fact]:
        size = self._pace.size
        return await self._database.view(lambda connection: cursor.read(connection, size))

    async def _fold(self, cursor: Cursor, events: Sequence[Fact], pending: Folded | None) -> Folded | None:
        if not events:
            return None
        projection, table = self._shadow.projection, self._shadow.table
        return await self._database.view(
            lambda connection: fold(connection, projection, table, cursor, events, pending)
        )

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


async def _together(first: Awaitable[A], second: Awaitable[B], third: Awaitable[C]) -> tuple[A, B, C]:
    """Wait for all three. Raises what one of them raises once none is under way any more."""
    done = await asyncio.gather(first, second, third, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return done  # type: ignore[return-value]  # none of them is an exception
