"""The routes of the history: events as the log holds them."""

from api.conditional import IMMUTABLE, kept_reply, page_etag
from api.context import current
from api.event_body import EventDocument, document
from api.event_query import EventQuery
from api.path import POSITION, read_number
from api.problems import EVENT_NOT_FOUND, POSITION_NOT_REACHED, STORAGE_FULL, Problem
from api.query import StateQuery
from api.reply import Reply, json_reply
from api.routing import Answer, Route
from api.scopes import Scope


async def list_events() -> Reply:
    """List events, a page at a time."""
    request = current.get()
    query: EventQuery = request.query
    chosen, times = query.filter(), query.times()
    await request.wait_for(query.min_position)
    page = await request.services.history.page(chosen, query.limit, **times, newest_first=query.newest_first)
    request.reflect(page.position)
    return kept_reply(
        request.headers.get(b"if-none-match"),
        page_etag(page),
        list(map(document, page.events)),
        (b"link", query.links(request.path, page.next)),
        final=page.final,
    )


async def get_event(position: str) -> Reply:
    """Get one event."""
    request = current.get()
    await request.wait_for(request.query.min_position)
    number = read_number(position)
    if number is None:
        raise Problem(EVENT_NOT_FOUND)
    reached, event = await request.services.history.event(number)
    request.reflect(reached)
    if event is None:
        raise Problem(EVENT_NOT_FOUND, f"The log ends at position {reached}" if number else None)
    return json_reply(200, document(event), IMMUTABLE)


EVENT_EXAMPLE = {
    "position": 1,
    "item_id": 1,
    "version": 1,
    "type": "item.created.v1",
    "recorded_at": "2026-11-23T20:57:16.250000Z",
    "actor": "anonymous",
    "command_id": "1a20a32e18ea15f13ad1500000003",
    "ordinal": 0,
    "correlation_id": "1a20a32e18ea15f13ad1500000002",
    "causation_id": None,
    "data": {"name": "Fountain pen", "price": "24.5", "in_stock": True},
    "fingerprint": "f3a0c1b5b6f1d2d0a6e6a4b54f0cba3f0d5b1c7a5d9e8f70717263748596a7b8",
    "leaf_hash": "8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1",
}
_READING = (POSITION_NOT_REACHED, STORAGE_FULL)

ROUTES = [
    Route(
        "GET",
        "/events",
        list_events,
        summary="List the events of the log, a page at a time",
        description="Every filter narrows; positions and times are bounds, `after` and `before` without that position, "
        "`from` and `to` with that time. `after`, or with `sort=-position` `before`, is the place of a page, which "
        '`rel="first"` of the `Link` header leaves out. Follow its `rel="next"`: a page may have few events, or '
        "none, and yet a next one, since it looks at a bounded number. The newest page leads on as well where it is "
        "full: what is empty now may be asked again. What can never change says so in `Cache-Control`; what can, asks "
        "to be asked for again with its `ETag`.",
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
        summary="Get one event",
        description="As it was recorded, and as it will be for ever. The event that began an item has the item's id "
        "for its position.",
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
                leads_to={"item_id": "$response.body#/item_id"},
            ),
        ),
        problems=(EVENT_NOT_FOUND, *_READING),
    ),
]
