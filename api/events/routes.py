"""The routes of the history: events as the log holds them."""

from api.auth.scopes import Scope
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.http.etags import IMMUTABLE, cacheable_response, page_etag
from api.http.path_params import POSITION, read_number
from api.http.problems import EVENT_NOT_FOUND, POSITION_NOT_REACHED, STORAGE_FULL, Problem
from api.http.query_params import StateQuery
from api.http.responses import HttpResponse, json_response
from api.schemas.event import EventDocument, document
from api.schemas.event_query import EventQuery
from api.schemas.examples import EVENT_EXAMPLE


async def list_events() -> HttpResponse:
    """List the events of the log, a page at a time.

    Every filter narrows; positions and times are bounds, `after` and `before` without that position, `from` and
    `to` with that time. `after`, or with `sort=-position` `before`, is the place of a page, which `rel="first"` of
    the `Link` header leaves out. Follow its `rel="next"`: a page may have few events, or none, and yet a next one,
    since it looks at a bounded number. The newest page leads on as well where it is full: what is empty now may be
    asked again. What can never change says so in `Cache-Control`; what can, asks to be asked for again with its
    `ETag`.
    """
    request = current.get()
    query: EventQuery = request.query
    chosen, times = query.filter(), query.times()
    await request.wait_for_position(query.min_position)
    page = await request.services.history.page(chosen, query.limit, **times, newest_first=query.newest_first)
    request.set_log_position(page.position)
    return cacheable_response(
        request.headers.get(b"if-none-match"),
        page_etag(page),
        list(map(document, page.events)),
        (b"link", query.links(request.path, page.next)),
        final=page.final,
    )


async def get_event(position: str) -> HttpResponse:
    """Get one event.

    As it was recorded, and as it will be for ever. The event that began an item has the item's id for its position.
    """
    request = current.get()
    await request.wait_for_position(request.query.min_position)
    number = read_number(position)
    if number is None:
        raise Problem(EVENT_NOT_FOUND)
    reached, event = await request.services.history.event(number)
    request.set_log_position(reached)
    if event is None:
        raise Problem(EVENT_NOT_FOUND, f"The log ends at position {reached}" if number else None)
    return json_response(200, document(event), IMMUTABLE)


_READING = (POSITION_NOT_REACHED, STORAGE_FULL)

ROUTES = [
    Route(
        "GET",
        "/events",
        list_events,
        tag="history",
        scope=Scope.EVENTS_READ,
        query=EventQuery,
        headers=("If-None-Match",),
        answers=(
            Answer(200, "A page of events", list[EventDocument], ("Link", "ETag", "Cache-Control"), [EVENT_EXAMPLE]),
            Answer(304, "Still as the client has it", None, ("ETag", "Cache-Control")),
        ),
        problems=_READING,
    ),
    Route(
        "GET",
        "/events/{position}",
        get_event,
        tag="history",
        scope=Scope.EVENTS_READ,
        path_schemas=POSITION,
        query=StateQuery,
        answers=(
            Answer(
                200,
                "The event",
                EventDocument,
                ("Cache-Control",),
                EVENT_EXAMPLE,
                links={"item_id": "$response.body#/item_id"},
            ),
        ),
        problems=(EVENT_NOT_FOUND, *_READING),
    ),
]
