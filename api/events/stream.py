"""`GET /events/stream`: events as they are committed, to each client at its own pace."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from functools import partial
from secrets import randbelow
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.rate_limits import client_of
from api.edge.routing import Answer, Route
from api.events import sse
from api.events.feed import Feed, Prepared
from api.http.problems import INVALID_HEADER, POSITION_NOT_REACHED, TOO_MANY_STREAMS, Problem
from api.http.responses import Headers, Send, part
from api.schemas.event_query import EventFilter
from api.schemas.examples import load
from eventstore.errors import InconsistentLogError, UnavailableError
from eventstore.log.history import Filter, StoredEvent
from eventstore.log.tail import Subscriber

_HEADERS: Headers = (
    (b"content-type", sse.MEDIA_TYPE),
    (b"x-accel-buffering", b"no"),  # without it nginx holds events back until its buffer is full
)
#: How long a client should wait before it reconnects, up to twice that. The spread keeps the clients of a lost server
#: from reconnecting all at once.
_MIN_RETRY_MILLISECONDS = 500

_POSITION = re.compile(rb"[0-9]{1,19}")


class EventStream(Struct, frozen=True):
    """An endless response with the events that pass the filter."""

    feed: Feed
    request: RequestContext
    filter: Filter

    async def to_asgi(self, send: Send) -> None:
        """Send events until the client disconnects, the stream's lifetime ends, or the feed stops.

        Raises Problem (503, 429) before anything is sent, UnavailableError, and InconsistentLogError after the events
        before one that is not JSON.
        """
        client = client_of(self.request.address, self.request.principal.holder)
        with self.feed.reserve(client):
            head = await self.feed.head()
            check_position(self.filter.after, head)
            self.request.set_log_position(head)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if self.request.method != "HEAD":
                await self._follow(send)
            await send({"type": "http.response.body"})

    async def _follow(self, send: Send) -> None:
        self.request.log_start("stream", self.filter.after)
        await send(part(sse.encode_retry(_MIN_RETRY_MILLISECONDS + randbelow(_MIN_RETRY_MILLISECONDS))))
        with self.feed.tail.subscribe(self.filter) as subscriber:
            disconnected = asyncio.ensure_future(self.request.disconnected())
            disconnected.add_done_callback(lambda _: subscriber.wake())
            try:
                await self._send_events(send, subscriber, disconnected)
            finally:
                disconnected.cancel()

    async def _send_events(
        self, send: Send, subscriber: Subscriber[Prepared], disconnected: asyncio.Future[None]
    ) -> None:
        heartbeat = self.feed.heartbeat_seconds
        sent_position = subscriber.position
        now = monotonic()
        end = now + self.feed.lifetime_seconds
        next_heartbeat = now + heartbeat
        while not (disconnected.done() or self.feed.stopped or now >= end):
            content, fault, begin, events = b"", None, subscriber.position, await _take(subscriber)
            now = monotonic()
            if events:
                sent_position = events[-1][0].position
                content, fault = _join(prepared for _, prepared in events)
            elif now >= next_heartbeat:
                moved = sent_position < subscriber.position
                sent_position = subscriber.position
                content = sse.encode_position(sent_position) if moved else sse.COMMENT
            elif subscriber.position == begin:
                await subscriber.wait(min(next_heartbeat, end) - now)
            if content:
                events = ()  # waits while the client does not read, with at most one page in memory, encoded
                await send(part(content))
                next_heartbeat = monotonic() + heartbeat
            if fault is not None:
                raise fault
            now = monotonic()


def _join(events: Iterable[Prepared]) -> tuple[bytes, InconsistentLogError | None]:
    """Return the events before the first that cannot be sent, and why it cannot."""
    sent: list[bytes] = []
    for prepared in events:
        if isinstance(prepared, InconsistentLogError):
            return b"".join(sent), InconsistentLogError(prepared.reason)  # each stream raises its own
        sent.append(prepared)
    return b"".join(sent), None


async def _take(subscriber: Subscriber[Prepared]) -> Sequence[tuple[StoredEvent, Prepared]]:
    try:
        return await subscriber.take()
    except UnavailableError:
        return ()  # retried soon; the client keeps its stream


def check_position(after: int, head: int) -> None:
    """Raise Problem (503) if the log has not reached the position to resume from."""
    if after > head:
        detail = f"Cannot resume: the requested position {after} is ahead of the log, which is at {head}"
        raise Problem(POSITION_NOT_REACHED, detail)


async def stream_events() -> EventStream:
    """Stream events as they are committed.

    Sends server-sent events (WHATWG HTML, section 9.2): first the events after `after`, then each new event when it
    is committed. Events come in position order, without gaps or duplicates. An event's `id` is its position and its
    `data` is the document that `GET /events/{position}` returns. Events have no `event` name, so `onmessage` receives
    all of them. An id without data reports progress past events that the filters exclude: resume from there. The
    response has no end of its own. When the connection ends, after the stream's lifetime, or when the service stops,
    reconnect with `Last-Event-ID`, as a browser's `EventSource` does. The server sends something at least every 15
    seconds. It disconnects a client that takes less than about
    1 kB/s for 10 seconds. `Log-Position` is the log's position when the
    response started. `HEAD` checks whether a stream would be accepted.
    """
    request = current.get()
    query: EventFilter = request.query
    event_filter = query.filter()
    if (last_event_id := request.headers.get(b"last-event-id")) is not None:
        if not _POSITION.fullmatch(last_event_id) or int(last_event_id) >= 2**63:
            raise Problem(INVALID_HEADER, "Last-Event-ID is not a valid position")
        event_filter = replace(event_filter, after=int(last_event_id))
    return EventStream(request.services.feed, request, event_filter)


_DESCRIPTION = "An endless stream of events. The schema describes one event"
_EXAMPLE, _MEDIA_TYPE = load("events")["server_sent_event"], sse.MEDIA_TYPE.decode()
_STREAM = Answer(200, _DESCRIPTION, sse.ServerSentEvent, ("X-Accel-Buffering",), _EXAMPLE, _MEDIA_TYPE)
_PROBLEMS = (INVALID_HEADER, POSITION_NOT_REACHED, TOO_MANY_STREAMS)
_route = partial(Route, "GET", tag="history", scope=Scope.EVENTS_READ, headers=("Last-Event-ID",), streaming=True)

ROUTES = [_route("/events/stream", stream_events, query=EventFilter, answers=(_STREAM,), problems=_PROBLEMS)]
