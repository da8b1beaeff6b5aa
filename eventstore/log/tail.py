"""Follow the log: new events are read once, for all subscribers.

A subscriber is only a position. Subscribers at the end of the log share the events read last; one further behind reads
pages of the log until it has caught up. Subscribers have no queues, so a slow one uses no memory and blocks nobody.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, NoReturn, TypeVar

from msgspec.structs import replace

from eventstore.database.database import Database
from eventstore.log.head import POSITION
from eventstore.log.history import Filter, StoredEvent, matches, selection
from eventstore.log.history_reader import HistoryReader

T = TypeVar("T")

#: Events that a subscriber takes at once, and that one read fetches for all.
_PAGE_EVENTS, _READ_EVENTS = 64, 256
#: The newest events that stay in memory; up to twice as many.
_KEPT_EVENTS = 1024
#: Subscribers that read pages of the log at the same time; the other connections stay free for other readers.
_MAX_PAGE_READERS = 2
#: Subscribers that are woken in one turn of the event loop.
_WAKE_BATCH = 50
#: The pause between two reads of new events, so that many commits share one read.
_PAUSE_SECONDS = 0.01


class Tail(Generic[T]):
    """The end of the log, for all subscribers. `prepare` converts each event once for all of them.

    While there are subscribers, it looks for new events when woken, and every `poll` seconds.
    """

    def __init__(self, database: Database, prepare: Callable[[StoredEvent], T], *, poll: float = 0.05) -> None:
        self._database = database
        self._history = HistoryReader(database)
        self._prepare = prepare
        self._poll = poll
        self._subscribers: set[Subscriber[T]] = set()
        self._due = asyncio.Event()
        self._reading = asyncio.Semaphore(_MAX_PAGE_READERS)
        #: All events after `_since` up to `_position`, the position up to which the log was read.
        self._recent: list[tuple[StoredEvent, T]] = []
        self._since = 0
        self._position = 0

    async def head(self) -> int:
        """Return the position of the log's last event. Raises UnavailableError."""
        return int((await self._database.read(POSITION))[0].position)

    def wake(self) -> None:
        """Look for new events now."""
        if self._subscribers:
            self._due.set()

    def wake_subscribers(self) -> None:
        """Make all subscribers return from `wait`."""
        for subscriber in self._subscribers:
            subscriber.wake()

    @contextmanager
    def subscribe(self, chosen: Filter) -> Iterator["Subscriber[T]"]:
        """Subscribe to the events `chosen` until the block ends."""
        subscriber = Subscriber(self, chosen)
        if not self._subscribers:
            self._due.set()
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.remove(subscriber)

    async def run(self) -> NoReturn:
        """Look for new events until cancelled. Raises UnavailableError; run again, it resumes there."""
        while True:
            if not self._subscribers:
                await self._due.wait()
                self._due.clear()
                continue
            await self._skip()
            while self._subscribers:
                self._due.clear()
                await self._advance()
                await asyncio.sleep(_PAUSE_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await self._due.wait()

    async def _skip(self) -> None:
        """Skip the events recorded while there were no subscribers, except the newest."""
        begin = await self.head() - _KEPT_EVENTS
        if begin > self._position:
            self._recent, self._since, self._position = [], begin, begin
            await self._announce()

    async def _advance(self) -> None:
        while True:
            rows = await self._database.read(*selection(Filter(after=self._position), _READ_EVENTS))
            if rows:
                self._recent += self._prepared(StoredEvent(*tuple(row)) for row in rows)
                self._position = rows[-1].position
                if (spare := len(self._recent) - _KEPT_EVENTS) > _KEPT_EVENTS:
                    self._since = self._recent[spare - 1][0].position
                    del self._recent[:spare]
                await self._announce()
            if len(rows) < _READ_EVENTS:
                return

    async def _announce(self) -> None:
        for number, subscriber in enumerate(tuple(self._subscribers), 1):
            subscriber.wake()
            if number % _WAKE_BATCH == 0:
                await asyncio.sleep(0)

    async def page(self, chosen: Filter) -> tuple[Sequence[tuple[StoredEvent, T]], int]:
        """Return at most 64 of the next events `chosen`, and the position up to which they are complete.

        That position is `chosen.after` where the log was read no further. Raises UnavailableError.
        """
        end = self._position
        if chosen.after >= end:
            return (), chosen.after
        if chosen.after < self._since:
            async with self._reading:
                page = await self._history.page(replace(chosen, before=end + 1), _PAGE_EVENTS)
            return self._prepared(page.events), page.next or end
        begin = bisect_right(self._recent, chosen.after, key=_position)
        window = self._recent[begin : begin + _PAGE_EVENTS]
        if begin + _PAGE_EVENTS < len(self._recent):
            end = _position(window[-1])
        return [entry for entry in window if matches(chosen, entry[0])], end

    def _prepared(self, events: Iterable[StoredEvent]) -> list[tuple[StoredEvent, T]]:
        return [(event, self._prepare(event)) for event in events]


def _position(entry: tuple[StoredEvent, object]) -> int:
    return entry[0].position


class Subscriber(Generic[T]):
    """A subscriber to the log; made by `Tail.subscribe`."""

    def __init__(self, tail: Tail[T], chosen: Filter) -> None:
        self._tail = tail
        self._chosen = chosen
        self._woken = asyncio.Event()

    @property
    def position(self) -> int:
        """The position up to which all matching events have been taken."""
        return self._chosen.after

    async def take(self) -> Sequence[tuple[StoredEvent, T]]:
        """Return the next events, each with its prepared form. Raises UnavailableError.

        Reads a bounded part of the log, and returns none where nothing in it matches. If `position` has moved, there
        may be more events after it; otherwise the log has no more. A cancelled call has taken nothing.
        """
        page, position = await self._tail.page(self._chosen)
        if position != self.position:
            self._chosen = replace(self._chosen, after=position)
        return page

    async def wait(self, seconds: float) -> None:
        """Return when there may be more events, when woken, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    def wake(self) -> None:
        """Make the current or the next `wait` return."""
        self._woken.set()
