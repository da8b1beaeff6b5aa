"""The routes of the audit: what an item was, version by version, and what items were at a moment."""

from msgspec import UNSET
from msgspec.structs import replace

from api.audit.queries import PastQuery, VersionQuery, moment
from api.audit.schemas import ItemVersion, shown
from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.routing import Answer, Route
from api.http.etags import IMMUTABLE, REVALIDATE, cacheable_response, etag, page_etag
from api.http.pagination import link
from api.http.path_params import ITEM_ID, parse_item_id
from api.http.problems import ITEM_NOT_FOUND, POSITION_NOT_REACHED, PROJECTION_NOT_READY, STORAGE_FULL, Problem
from api.http.responses import HttpResponse, json_response
from api.schemas.examples import EVENT_EXAMPLE
from api.schemas.item import Item, listed
from commands.errors import ItemNotFoundError


async def audit_items() -> HttpResponse:
    """List items as they were at a moment.

    What `/items` answered when the log was at that position, or at that time; filters, order and pages are the
    same. Without `as_of` the moment is now. `Log-Position` is the position that the moment stands for, and links
    lead on as of that: all pages are of one moment, whatever is written meanwhile. A moment that is still to come
    is refused (400).
    """
    request = current.get()
    query: PastQuery = request.query
    await request.wait_for_position(query.min_position)
    as_of = await moment(query.as_of, request.services.history)
    asked = query.at(as_of.position)
    page = await request.services.past_items.page(
        as_of.position, asked.filter(), asked.order(), asked.after(), asked.limit
    )
    if page is None:
        raise Problem(PROJECTION_NOT_READY)
    request.set_log_position(as_of.position)
    link = (b"link", asked.links(request.path, page.next))
    return json_response(200, list(map(listed, page.items)), link, IMMUTABLE if as_of.final else REVALIDATE)


async def audit_item(item_id: str) -> HttpResponse:
    """What an item was, and who made it so.

    Each version is the event that made it and, field by field, what it was before and since; `null` where there was
    no item, or is none. Deleted items have a history like others. Pages are those of `/events`, with `after` and
    `before` as positions. With `as_of` the answer is the item instead, as `/items` showed it at that moment, or 404
    where it showed none; `Log-Position` is the position that the moment stands for. A moment that is still to come
    is refused (400).
    """
    request, number = current.get(), parse_item_id(item_id)
    query: VersionQuery = request.query
    await request.wait_for_position(query.min_position)
    return await (_versions(request, number) if query.as_of is UNSET else _state(request, number))


async def _versions(request: RequestContext, item_id: int) -> HttpResponse:
    query: VersionQuery = request.query
    history, newest_first = request.services.history, query.newest_first
    page = await history.page(replace(query.range(), item_id=item_id), query.limit, newest_first=newest_first)
    request.set_log_position(page.position)
    if not page.events and not await history.has_item(item_id):
        raise ItemNotFoundError
    step = -1 if newest_first else 1
    versions = await request.services.past.versions(page.events[::step])
    return cacheable_response(
        request.headers.get(b"if-none-match"),
        page_etag(page),
        list(map(shown, versions[::step])),
        (b"link", query.links(request.path, page.next)),
        final=page.final,
    )


async def _state(request: RequestContext, item_id: int) -> HttpResponse:
    query: VersionQuery = request.query
    query.check_alone()
    as_of = await moment(query.as_of, request.services.history)
    request.set_log_position(as_of.position)
    view = await request.services.past.state(item_id, as_of.position)
    if view is None:
        raise ItemNotFoundError
    return cacheable_response(
        request.headers.get(b"if-none-match"),
        etag(view.version),
        listed(view),
        (b"link", link(request.path, {}, "version-history").encode()),
        final=as_of.final,
    )


_ITEM = {"id": 1, "name": "Fountain pen", "price": 24.5, "in_stock": True}
_CREATED = {
    **EVENT_EXAMPLE,
    "changes": {
        "name": {"from": None, "to": "Fountain pen"},
        "price": {"from": None, "to": 24.5},
        "in_stock": {"from": None, "to": True},
    },
}
_READING = (POSITION_NOT_REACHED, STORAGE_FULL)

ROUTES = [
    Route(
        "GET",
        "/audit/items",
        audit_items,
        tag="history",
        scope=Scope.EVENTS_READ,
        query=PastQuery,
        answers=(Answer(200, "A page of items", list[Item], ("Link", "Cache-Control"), [_ITEM]),),
        problems=(PROJECTION_NOT_READY, *_READING),
    ),
    Route(
        "GET",
        "/audit/items/{item_id}",
        audit_item,
        tag="history",
        scope=Scope.EVENTS_READ,
        path_schemas=ITEM_ID,
        query=VersionQuery,
        headers=("If-None-Match",),
        answers=(
            Answer(
                200,
                "A page of versions; with `as_of` the item",
                list[ItemVersion] | Item,
                ("Link", "ETag", "Cache-Control"),
                [_CREATED],
            ),
            Answer(304, "Still as the client has it", None, ("ETag", "Cache-Control")),
        ),
        problems=(ITEM_NOT_FOUND, *_READING),
    ),
]
