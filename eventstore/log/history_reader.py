"""What auditors ask of the history, answered page by page.

The log only grows: as of a position, whatever is asked of it has the same answer for ever. Whoever knows where the log
ended when it was asked sees one moment without a transaction, and knows which answers can still change.
"""

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import bindparam, select

from eventstore.database.database import Database
from eventstore.log.history import Filter, StoredEvent, look, position_at, selection
from eventstore.log.log import END
from eventstore.log.tables import BigInt, log_head


class HistoryPage(Struct, frozen=True):
    """A part of the history."""

    #: The log position that it is of.
    position: int
    events: Sequence[StoredEvent]
    #: Behind what position the next page begins, or before what where the newest come first; None where this one is the
    #: last. It may be there though `events` are few, or though nothing has come behind them yet.
    next: int | None
    #: Whether the same question has the same answer for ever.
    final: bool


class AsOf(Struct, frozen=True):
    """A moment of the past."""

    #: The position of the last event that had happened.
    position: int
    #: Whether the moment that was asked for is at this position for ever.
    final: bool
    #: Where the log ended when it was asked, and when its last event was recorded, in microseconds since the epoch.
    head: int
    recorded_at: int


class _Moment(Struct, frozen=True):
    """Where the log ended when it was asked."""

    position: int
    #: When its last event was recorded. The next one may have the same time.
    recorded_at: int
    #: The positions of the last events before one time, and up to another.
    before_since: int = 0
    until: int = END - 1


_HEAD = select(log_head.c.position, log_head.c.recorded_at).where(log_head.c.id == 1)
_HEAD_AND_TIMES = _HEAD.add_columns(*(position_at(bindparam(time, type_=BigInt)) for time in ("before_since", "until")))

_NEVER = -(2**63)


class HistoryReader:
    """Answers questions about the history. All raise UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def event(self, position: int) -> tuple[int, StoredEvent | None]:
        """Give the log's position, and the event at `position`, None where there is none yet."""
        found = await self._events(Filter(after=position - 1), 1)
        event = found[0] if found and found[0].position == position else None
        return (await self._moment(None, None)).position, event

    async def has_item(self, item_id: int) -> bool:
        """Tell whether there is an item of that id, or ever was: its id is the position of the event that began it."""
        _, event = await self.event(item_id)
        return event is not None and event.item_id == item_id

    async def as_of(self, *, position: int | None = None, time: int | None = None) -> AsOf:
        """Give the moment at a position, or at a time in microseconds since the epoch, or of now.

        The position is given back as it is, though the log may not be there yet.
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
        """Give at most `limit` of the events `chosen` that were recorded from `since` to `until`, both included.

        Times are in microseconds since the epoch. However many events there are, a page looks at a bounded number.
        """
        moment = await self._moment(since, until)
        end = moment.position + 1
        # Nothing that is still to come can be among them:
        closed = chosen.before <= end or (until is not None and until < moment.recorded_at)
        chosen = _within(chosen, moment)
        looked_at = await self._look(chosen, newest_first)
        events = await self._events(_up_to(looked_at, chosen, newest_first), limit, newest_first)
        last = events[-1].position if len(events) == limit else looked_at
        if last == (chosen.after + 1 if newest_first else chosen.before - 1) and (newest_first or closed):
            last = None  # there is nothing behind it, nor ever will be
        return HistoryPage(moment.position, events, last, closed or (last is not None and not newest_first))

    async def bounds(self, chosen: Filter, *, since: int | None = None, until: int | None = None) -> tuple[int, Filter]:
        """Give the log's position, and `chosen`, with times as `page` takes them, between two positions up to there."""
        moment = await self._moment(since, until)
        return moment.position, _within(chosen, moment)

    async def pages(self, chosen: Filter, size: int) -> AsyncIterator[Sequence[StoredEvent]]:
        """Read all of the events `chosen`, in position order, at most `size` of them a page.

        No transaction is open between two pages, and each looks at a bounded number of events.
        """
        while chosen.after + 1 < chosen.before:
            looked_at = await self._look(chosen, newest_first=False)
            events = await self._events(_up_to(looked_at, chosen, newest_first=False), size)
            if events:
                yield events
            last = events[-1].position if len(events) == size else looked_at
            if last is None:
                return
            chosen = replace(chosen, after=last)

    async def _moment(self, since: int | None, until: int | None) -> _Moment:
        if since is None and until is None:
            return _Moment(*tuple((await self._database.read(_HEAD))[0]))
        times = {"before_since": _NEVER if since is None else since - 1, "until": END if until is None else until}
        return _Moment(*tuple((await self._database.read(_HEAD_AND_TIMES, times))[0]))

    async def _look(self, chosen: Filter, newest_first: bool) -> int | None:
        """Give the position of the last event that a page may look at, None where it may look at all."""
        looking = look(chosen, newest_first=newest_first)
        rows = await self._database.read(*looking) if looking else ()
        return rows[0].position if rows else None

    async def _events(self, chosen: Filter, limit: int, newest_first: bool = False) -> list[StoredEvent]:
        rows = await self._database.read(*selection(chosen, limit, newest_first=newest_first))
        return [StoredEvent(*tuple(row)) for row in rows]


def _within(chosen: Filter, moment: _Moment) -> Filter:
    end = min(moment.position, moment.until) + 1
    return replace(chosen, after=max(chosen.after, moment.before_since), before=min(chosen.before, end))


def _up_to(position: int | None, chosen: Filter, newest_first: bool) -> Filter:
    if position is None:
        return chosen
    return replace(chosen, after=position - 1) if newest_first else replace(chosen, before=position + 1)
