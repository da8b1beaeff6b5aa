"""`GET /events/stream`: the history as it happens, to each client in its own time."""

import asyncio
import re
from collections.abc import Sequence
from secrets import randbelow
from time import monotonic

import msgspec
from msgspec.structs import replace

from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.rate_limits import client_of
from api.edge.routing import Answer, Route
from api.events import sse
from api.events.feed import Feed
from api.http.problems import INVALID_HEADER, POSITION_NOT_REACHED, TOO_MANY_STREAMS, Problem
from api.http.responses import Headers, Send, part
from api.schemas.event_query import EventFilter
from api.schemas.examples import EVENT_EXAMPLE
from eventstore.errors import UnavailableError
from eventstore.log.history import Filter, StoredEvent
from eventstore.log.tail import Subscriber

_HEADERS: Headers = (
    (b"content-type", sse.MEDIA_TYPE),
    (b"x-accel-buffering", b"no"),  # else nginx keeps events back until it has a buffer full of them
)
#: Milliseconds that a client is told to wait before it connects anew, and up to twice that: not all who lost one server
#: are to come at once.
_LEAST_RETRY = 500

_POSITION = re.compile(rb"[0-9]{1,19}")


class EventStream:
    """The answer that has no end of its own: the events `chosen`, as `request` asked for them."""

    def __init__(self, feed: Feed, request: RequestContext, chosen: Filter) -> None:
        self._feed = feed
        self._request = request
        self._chosen = chosen

    async def to_asgi(self, send: Send) -> None:
        """Send it until the client leaves, its credential or the stream's time ends, or the feed does.

        Raises Problem (503, 429) before anything is sent, and UnavailableError.
        """
        client = client_of(self._request.address, self._request.principal.credential)
        with self._feed.place(client):
            head = await self._feed.head()
            if self._chosen.after > head:
                raise Problem(POSITION_NOT_REACHED, f"The log is at position {head}, before the one to go on from")
            self._request.set_log_position(head)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if self._request.method != "HEAD":
                await self._follow(send)
            await send({"type": "http.response.body"})

    async def _follow(self, send: Send) -> None:
        self._request.log_start("stream", self._chosen.after)
        await send(part(sse.retry(_LEAST_RETRY + randbelow(_LEAST_RETRY))))
        with self._feed.tail.follow(self._chosen) as subscriber:
            left = asyncio.ensure_future(self._request.disconnected())
            left.add_done_callback(lambda _: subscriber.wake())
            try:
                await self._tell(send, subscriber, left)
            finally:
                left.cancel()

    async def _tell(self, send: Send, subscriber: Subscriber[bytes], left: asyncio.Future[None]) -> None:
        told = subscriber.position
        now = monotonic()
        end = now + self._feed.lifetime
        due = look = now + self._feed.heartbeat
        while not (left.done() or self._feed.ended or now >= end):
            if now >= look:
                if not await self._still_admitted():
                    return
                look = now + self._feed.heartbeat
            text, begin, events = b"", subscriber.position, await _next(subscriber)
            now = monotonic()
            if events:
                told, text = events[-1][0].position, b"".join(frame for _, frame in events)
            elif now >= due:
                place = subscriber.position
                told, text = place, sse.place(place) if told < place else sse.COMMENT
            elif subscriber.position == begin:
                await subscriber.wait(min(due, end, look) - now)
            if text:
                # Where the client does not read this waits, and has one page in hand.
                await send(part(text))
                due = monotonic() + self._feed.heartbeat
            now = monotonic()

    async def _still_admitted(self) -> bool:
        try:
            return await self._request.services.authenticator.is_still_valid(self._request.principal)
        except UnavailableError:
            return True  # without a database there is nothing to tell either


async def _next(subscriber: Subscriber[bytes]) -> Sequence[tuple[StoredEvent, bytes]]:
    try:
        return await subscriber.take()
    except UnavailableError:
        return ()  # it is asked again soon, and the client keeps its stream


async def stream_events() -> EventStream:
    """Follow the history.

    Server-sent events (WHATWG HTML, section 9.2): those behind `after`, and then each as it is committed, in the
    order of positions, none left out and none twice. An event's `id` is its position, its `data` the document that
    `GET /events/{position}` gives; none has an `event` name, so `onmessage` gets all. An id without data says how
    far the history has come without an event that was asked for: resume from there. The answer has no end: when the
    connection does, after a time, or when the service stops, go on by `Last-Event-ID`, as a browser's `EventSource`
    does by itself. Every few seconds, at least each 15, something is sent. A client that takes nothing of it for 10
    seconds is disconnected. `Log-Position` says where the history was when the answer began. `HEAD` asks whether
    there would be one.
    """
    request = current.get()
    query: EventFilter = request.query
    chosen = query.filter()
    if (sent := request.headers.get(b"last-event-id")) is not None:
        if not _POSITION.fullmatch(sent) or int(sent) >= 2**63:
            raise Problem(INVALID_HEADER, "Last-Event-ID is no position")
        chosen = replace(chosen, after=int(sent))
    return EventStream(request.services.feed, request, chosen)


_EXAMPLE = {"id": str(EVENT_EXAMPLE["position"]), "data": msgspec.json.encode(EVENT_EXAMPLE).decode()}

ROUTES = [
    Route(
        "GET",
        "/events/stream",
        stream_events,
        tag="history",
        scope=Scope.EVENTS_READ,
        query=EventFilter,
        headers=("Last-Event-ID",),
        streaming=True,
        answers=(
            Answer(
                200,
                "The events, without end; the schema is that of each",
                sse.ServerSentEvent,
                ("X-Accel-Buffering",),
                _EXAMPLE,
                media_type="text/event-stream",
            ),
        ),
        problems=(INVALID_HEADER, POSITION_NOT_REACHED, TOO_MANY_STREAMS),
    ),
]
