"""The routes `/events` and `/events/{position}`: events as stored in the log."""

from functools import partial

from api.auth.scopes import Scope
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.http.etags import IMMUTABLE, cacheable_response, page_etag
from api.http.path_params import POSITION, read_number
from api.http.problems import EVENT_NOT_FOUND, LOG_CHANGED, POSITION_NOT_REACHED, STORAGE_FULL, Problem
from api.http.query_params import StateQuery
from api.http.responses import HttpResponse, json_response
from api.schemas.event import EventDocument, to_event_document
from api.schemas.event_query import EventQuery
from api.schemas.examples import SHARED


async def list_events() -> HttpResponse:
    """List the events of the log, one page at a time.

    Filters combine. `after` and `before` exclude the position they name; `from` and `to` include the time they name.
    `after`, or `before` with `sort=-position`, is also the page's place, which `rel="first"` of the `Link` header
    leaves out. Follow `rel="next"`. A page scans a limited part of the log, so it can have few events or none and
    still have a next page. The newest page has a next page if it is full: request that again later. `Cache-Control`
    marks pages that can never change. Revalidate all others with their `ETag`.
    """
    request = current.get()
    query: EventQuery = request.query
    event_filter, times = query.filter(), query.times()
    await request.wait_for_position(query.min_position)
    page = await request.services.history.page(event_filter, query.limit, **times, newest_first=query.newest_first)
    request.set_log_position(page.position)
    return cacheable_response(
        request.headers.get(b"if-none-match"),
        page_etag(page),
        list(map(to_event_document, page.events)),
        (b"link", query.links(request.path, page.next)),
        final=page.final,
    )


async def get_event(position: str) -> HttpResponse:
    """Get an event.

    Returns the event as recorded. It never changes. The event that created an item has the item's id as its position.
    """
    request = current.get()
    await request.wait_for_position(request.query.min_position)
    number = read_number(position)
    if number is None:
        raise Problem(EVENT_NOT_FOUND)
    log_position, event = await request.services.history.event(number)
    request.set_log_position(log_position)
    if event is None:
        raise Problem(EVENT_NOT_FOUND, f"The log ends at position {log_position}" if number else None)
    return json_response(200, to_event_document(event), IMMUTABLE)


_EVENT = SHARED["event"]
_PAGE = Answer(200, "A page of events", list[EventDocument], ("Link", "ETag", "Cache-Control"), [_EVENT])
_NOT_MODIFIED = Answer(304, "The client's copy is current", None, ("ETag", "Cache-Control"))
_ITEM_LINK = {"item_id": "$response.body#/item_id"}
_FOUND = Answer(200, "The event", EventDocument, ("Cache-Control",), _EVENT, links=_ITEM_LINK)

_PAGE_PROBLEMS = (POSITION_NOT_REACHED, STORAGE_FULL, LOG_CHANGED)
_EVENT_PROBLEMS = (EVENT_NOT_FOUND, *_PAGE_PROBLEMS)

_route = partial(Route, "GET", tag="history", scope=Scope.EVENTS_READ)
_list = partial(_route, query=EventQuery, headers=("If-None-Match",))
_get = partial(_route, query=StateQuery, path_schemas=POSITION)

ROUTES = [
    _list("/events", list_events, answers=(_PAGE, _NOT_MODIFIED), problems=_PAGE_PROBLEMS),
    _get("/events/{position}", get_event, answers=(_FOUND,), problems=_EVENT_PROBLEMS),
]
