"""Follow the log: new events are read once, for all subscribers.

A subscriber is no more than a position. Subscribers at the end of the log share what was last read; one that is further
behind reads pages of the log until it has caught up. Subscribers have no queues, so a slow one uses no memory and
blocks nobody.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, NoReturn, TypeVar

from msgspec.structs import replace

from eventstore.database.database import Database
from eventstore.log import log
from eventstore.log.history import Filter, StoredEvent, matches, selection
from eventstore.log.history_reader import HistoryReader

T = TypeVar("T")

#: Events that a subscriber takes at once, and that are read at once for all.
_PAGE, _READ = 64, 256
#: So many of the newest events, or twice as many, are kept.
_KEPT = 1024
#: Followers that may read pages at the same time, so that others find a connection to read by.
_READERS = 2
#: Followers that are woken at once, before others get their turn of the event loop.
_WOKEN = 50
#: Seconds between two reads of what is new: many commits make few reads.
_PAUSE = 0.01


class Tail(Generic[T]):
    """The log's end, for all who follow it; `prepare` makes of each event, once, what they are to have of it.

    While anyone follows it looks for new events when it is woken, and every `poll` seconds besides.
    """

    def __init__(self, database: Database, prepare: Callable[[StoredEvent], T], *, poll: float = 0.05) -> None:
        self._database = database
        self._history = HistoryReader(database)
        self._prepare = prepare
        self._poll = poll
        self._followers: set[Subscriber[T]] = set()
        self._due = asyncio.Event()
        self._reading = asyncio.Semaphore(_READERS)
        #: All events behind `_since` and up to `_position`, which is how far the log was read.
        self._recent: list[tuple[StoredEvent, T]] = []
        self._since = 0
        self._position = 0

    async def head(self) -> int:
        """Give the position of the log's last event. Raises UnavailableError."""
        return int((await self._database.read(log.POSITION))[0].position)

    def wake(self) -> None:
        """Say that there may be new events."""
        if self._followers:
            self._due.set()

    def wake_followers(self) -> None:
        """Have all subscribers return from their wait."""
        for subscriber in self._followers:
            subscriber.wake()

    @contextmanager
    def follow(self, chosen: Filter) -> Iterator["Subscriber[T]"]:
        """Follow the events `chosen`, which have no end."""
        subscriber = Subscriber(self, chosen)
        if not self._followers:
            self._due.set()
        self._followers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._followers.remove(subscriber)

    async def run(self) -> NoReturn:
        """Look for new events until cancelled. Raises UnavailableError; run again, it goes on from there."""
        while True:
            if not self._followers:
                await self._due.wait()
                self._due.clear()
                continue
            await self._skip()
            while self._followers:
                self._due.clear()
                await self._advance()
                await asyncio.sleep(_PAUSE)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await self._due.wait()

    async def _skip(self) -> None:
        """Leave out what happened while nobody followed, but for the newest events."""
        begin = await self.head() - _KEPT
        if begin > self._position:
            self._recent, self._since, self._position = [], begin, begin
            await self._announce()

    async def _advance(self) -> None:
        while True:
            rows = await self._database.read(*selection(Filter(after=self._position), _READ))
            if rows:
                self._recent += self._prepared(StoredEvent(*tuple(row)) for row in rows)
                self._position = rows[-1].position
                if (spare := len(self._recent) - _KEPT) > _KEPT:
                    self._since = self._recent[spare - 1][0].position
                    del self._recent[:spare]
                await self._announce()
            if len(rows) < _READ:
                return

    async def _announce(self) -> None:
        for number, subscriber in enumerate(tuple(self._followers), 1):
            subscriber.wake()
            if number % _WOKEN == 0:
                await asyncio.sleep(0)

    async def page(self, chosen: Filter) -> tuple[Sequence[tuple[StoredEvent, T]], int]:
        """Give the next of the events `chosen`, at most 64, and a position up to which these are all there are.

        Where that is `chosen.after` the log was read no further. Raises UnavailableError.
        """
        end = self._position
        if chosen.after >= end:
            return (), chosen.after
        if chosen.after < self._since:
            async with self._reading:
                page = await self._history.page(replace(chosen, before=end + 1), _PAGE)
            return self._prepared(page.events), page.next or end
        begin = bisect_right(self._recent, chosen.after, key=_position)
        window = self._recent[begin : begin + _PAGE]
        if begin + _PAGE < len(self._recent):
            end = _position(window[-1])
        return [entry for entry in window if matches(chosen, entry[0])], end

    def _prepared(self, events: Iterable[StoredEvent]) -> list[tuple[StoredEvent, T]]:
        return [(event, self._prepare(event)) for event in events]


def _position(entry: tuple[StoredEvent, object]) -> int:
    return entry[0].position


class Subscriber(Generic[T]):
    """One who follows the log; made by `Tail.follow`."""

    def __init__(self, tail: Tail[T], chosen: Filter) -> None:
        self._tail = tail
        self._chosen = chosen
        self._woken = asyncio.Event()

    @property
    def position(self) -> int:
        """The position up to which all events that were asked for have been taken."""
        return self._chosen.after

    async def take(self) -> Sequence[tuple[StoredEvent, T]]:
        """Give the next events, each with what was made of it. Raises UnavailableError.

        It looks at a bounded part of the log, and gives none where none of that was asked for: where `position` has
        moved there may be more behind it, else the log has no more. Cancelled, it has taken nothing.
        """
        page, position = await self._tail.page(self._chosen)
        if position != self.position:
            self._chosen = replace(self._chosen, after=position)
        return page

    async def wait(self, seconds: float) -> None:
        """Return when there may be more, when woken, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    def wake(self) -> None:
        """Have it return from its wait, or from the next."""
        self._woken.set()
