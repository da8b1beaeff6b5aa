"""Reads the history page by page.

The log only grows, so a query as of a position has the same answer for ever. A query that also reads where the log ends
sees one moment without a transaction, and knows whether its answer can still change.
"""

from collections.abc import AsyncIterator, Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import bindparam, select

from eventstore.database.database import Database
from eventstore.log.head import END
from eventstore.log.history import Filter, StoredEvent, position_at, scan_limit_query, selection
from eventstore.log.tables import BigInt, log_head


class HistoryPage(Struct, frozen=True):
    """One page of the history."""

    #: The position at which the log ended.
    position: int
    events: Sequence[StoredEvent]
    #: The next page begins after this position, or before it where the newest come first; None on the last page. It may
    #: be set though there are few `events`, or none after them yet.
    next: int | None
    #: Whether the same query has the same answer for ever.
    final: bool


class AsOf(Struct, frozen=True):
    """A moment of the past."""

    #: The position of its last event.
    position: int
    #: Whether the requested moment is at this position for ever.
    final: bool
    #: Where the log ended, and the time of its last event in microseconds since the epoch.
    head: int
    recorded_at: int


class Progress(Struct, frozen=True):
    """The progress of a run through the log."""

    position: int
    #: The position at which the run ends, or an estimate of it.
    target: int
    #: Positions a second.
    rate: float

    @property
    def eta(self) -> float | None:
        """Seconds until the end at that rate, or None if that is unknown."""
        return (self.target - self.position) / self.rate if self.rate else None


ReportProgress = Callable[[Progress], None]


class _Moment(Struct, frozen=True):
    #: Where the log ended, and the time of its last event. The next event may have the same time.
    position: int
    recorded_at: int
    #: The positions of the last events before `since`, and up to `until`.
    before_since: int = 0
    until: int = END - 1


_HEAD = select(log_head.c.position, log_head.c.recorded_at).where(log_head.c.id == 1)
_HEAD_AND_TIMES = _HEAD.add_columns(*(position_at(bindparam(time, type_=BigInt)) for time in ("before_since", "until")))

_NEVER = -(2**63)


class HistoryReader:
    """Answers queries about the history. All methods raise UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def event(self, position: int) -> tuple[int, StoredEvent | None]:
        """Return the log's position, and the event at `position` or None if there is none yet."""
        found = await self._events(Filter(after=position - 1), 1)
        event = found[0] if found and found[0].position == position else None
        return (await self._moment(None, None)).position, event

    async def has_item(self, item_id: int) -> bool:
        """Return whether an item has or ever had that id: the position of the event that created it."""
        _, event = await self.event(item_id)
        return event is not None and event.item_id == item_id

    async def as_of(self, *, position: int | None = None, time: int | None = None) -> AsOf:
        """Return the moment at a position, or at a time in microseconds since the epoch, or the current one.

        A given position is returned unchanged, though the log may not have reached it yet.
        """
        moment = await self._moment(None, time)
        reached = min(moment.until, moment.position) if position is None else position
        final = position is not None or (time is not None and time < moment.recorded_at)
        return AsOf(reached, final, moment.position, moment.recorded_at)

    async def page(
        self,
        chosen: Filter,
        limit: int,
        *,
        since: int | None = None,
        until: int | None = None,
        newest_first: bool = False,
    ) -> HistoryPage:
        """Return at most `limit` of the events `chosen` that were recorded from `since` to `until`, both included.

        Times are in microseconds since the epoch. A page reads a bounded number of events, however many there are.
        """
        moment = await self._moment(since, until)
        end = moment.position + 1
        # Whether no future event can match:
        closed = chosen.before <= end or (until is not None and until < moment.recorded_at)
        chosen = _within(chosen, moment)
        events, scan_end = await self._scan(chosen, limit, newest_first)
        last = events[-1].position if len(events) == limit else scan_end
        if last == (chosen.after + 1 if newest_first else chosen.before - 1) and (newest_first or closed):
            last = None  # nothing comes after it, now or later
        return HistoryPage(moment.position, events, last, closed or (last is not None and not newest_first))

    async def bounds(self, chosen: Filter, *, since: int | None = None, until: int | None = None) -> tuple[int, Filter]:
        """Return the log's position, and `chosen` restricted to that position and to times as in `page`."""
        moment = await self._moment(since, until)
        return moment.position, _within(chosen, moment)

    async def pages(self, chosen: Filter, size: int) -> AsyncIterator[Sequence[StoredEvent]]:
        """Read all events `chosen` in position order, at most `size` a page.

        No transaction is open between two pages, and each page reads a bounded number of events.
        """
        while chosen.after + 1 < chosen.before:
            events, scan_end = await self._scan(chosen, size)
            if events:
                yield events
            last = events[-1].position if len(events) == size else scan_end
            if last is None:
                return
            chosen = replace(chosen, after=last)

    async def _moment(self, since: int | None, until: int | None) -> _Moment:
        if since is None and until is None:
            return _Moment(*tuple((await self._database.read(_HEAD))[0]))
        times = {"before_since": _NEVER if since is None else since - 1, "until": END if until is None else until}
        return _Moment(*tuple((await self._database.read(_HEAD_AND_TIMES, times))[0]))

    async def _scan(
        self, chosen: Filter, limit: int, newest_first: bool = False
    ) -> tuple[list[StoredEvent], int | None]:
        """Read a page; also return the position of the last event that it could read, None if there was no limit."""
        query = scan_limit_query(chosen, newest_first=newest_first)
        rows = await self._database.read(*query) if query else ()
        scan_end = rows[0].position if rows else None
        if scan_end is not None:
            bound = {"after": scan_end - 1} if newest_first else {"before": scan_end + 1}
            chosen = replace(chosen, **bound)
        return await self._events(chosen, limit, newest_first), scan_end

    async def _events(self, chosen: Filter, limit: int, newest_first: bool = False) -> list[StoredEvent]:
        rows = await self._database.read(*selection(chosen, limit, newest_first=newest_first))
        return [StoredEvent(*tuple(row)) for row in rows]


def _within(chosen: Filter, moment: _Moment) -> Filter:
    end = min(moment.position, moment.until) + 1
    return replace(chosen, after=max(chosen.after, moment.before_since), before=min(chosen.before, end))
