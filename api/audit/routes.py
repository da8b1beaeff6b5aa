"""The routes `/audit`: the versions of an item, and the items as of a moment."""

from functools import partial

from msgspec import UNSET
from msgspec.structs import replace

from api.audit.queries import PastItemsQuery, VersionsQuery, resolve_as_of
from api.audit.schemas import ItemVersion, to_item_version
from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.routing import Answer, Route
from api.http.etags import IMMUTABLE, REVALIDATE, cacheable_response, etag, page_etag
from api.http.pagination import link
from api.http.path_params import ITEM_ID, parse_item_id
from api.http.problems import ITEM_NOT_FOUND, POSITION_NOT_REACHED, PROJECTION_NOT_READY, STORAGE_FULL
from api.http.responses import HttpResponse, json_response
from api.schemas.examples import SHARED, load
from api.schemas.item import Item, to_item
from commands.errors import ItemNotFoundError
from projections.items.items import ITEMS


async def audit_items() -> HttpResponse:
    """List items as of a moment.

    Returns what `GET /items` returned when the log was at that position, or at that time. Filters, order and pages
    are the same. `as_of` defaults to now. `Log-Position` is the position of the moment. The links keep it, so all
    pages show the same moment regardless of concurrent writes. A moment that is still to come responds with 400.
    """
    request = current.get()
    query: PastItemsQuery = request.query
    await request.wait_for_position(query.min_position)
    as_of = await resolve_as_of(query.as_of, request.services.history)
    query = replace(query, as_of=as_of.position)  # for the links, so that all pages show one moment
    page = await request.services.past_items.page(
        as_of.position, query.filter(), query.order(), query.after(), query.limit
    )
    request.set_log_position(as_of.position)
    link = (b"link", query.links(request.path, page.next))
    return json_response(200, list(map(to_item, page.items)), link, IMMUTABLE if as_of.final else REVALIDATE)


async def audit_item(item_id: str) -> HttpResponse:
    """List the versions of an item, or get its state as of a moment.

    Each version contains its event and, for each changed field, the previous and the new value. A value is `null`
    where the item did not exist. Deleted items have a history, too. Pages work as in `GET /events`, with positions as
    `after` and `before`. With `as_of` the response is the item as `GET /items` showed it at that moment, or 404 if it
    did not exist then. `Log-Position` is the position of the moment. A moment that is still to come responds with
    400.
    """
    request, number = current.get(), parse_item_id(item_id)
    query: VersionsQuery = request.query
    await request.wait_for_position(query.min_position)
    return await (_list_versions(request, number) if query.as_of is UNSET else _get_state(request, number))


async def _list_versions(request: RequestContext, item_id: int) -> HttpResponse:
    query: VersionsQuery = request.query
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
        list(map(to_item_version, versions[::step])),
        (b"link", query.links(request.path, page.next)),
        final=page.final,
    )


async def _get_state(request: RequestContext, item_id: int) -> HttpResponse:
    query: VersionsQuery = request.query
    query.check_no_range()
    as_of = await resolve_as_of(query.as_of, request.services.history)
    request.set_log_position(as_of.position)
    view = await request.services.past.state(item_id, as_of.position)
    if view is None:
        raise ItemNotFoundError
    return cacheable_response(
        request.headers.get(b"if-none-match"),
        etag(ITEMS.version, view.version),  # made by this code from events, whatever the table is
        to_item(view),
        (b"link", link(request.path, {}, "version-history").encode()),
        final=as_of.final,
    )


_PAGE = Answer(200, "A page of items", list[Item], ("Link", "Cache-Control"), [SHARED["item"]])
_HEADERS, _EXAMPLE = ("Link", "ETag", "Cache-Control"), load("audit")["item_versions"]
_DESCRIPTION = "A page of versions; with `as_of`, the item"
_VERSIONS = Answer(200, _DESCRIPTION, list[ItemVersion] | Item, _HEADERS, _EXAMPLE)
_NOT_MODIFIED = Answer(304, "The client's copy is current", None, ("ETag", "Cache-Control"))

_READ_PROBLEMS = (POSITION_NOT_REACHED, STORAGE_FULL)
_LIST_PROBLEMS = (PROJECTION_NOT_READY, *_READ_PROBLEMS)
_ITEM_PROBLEMS = (ITEM_NOT_FOUND, *_READ_PROBLEMS)

_route = partial(Route, "GET", tag="history", scope=Scope.EVENTS_READ)
_item = partial(_route, path_schemas=ITEM_ID, query=VersionsQuery, headers=("If-None-Match",))

ROUTES = [
    _route("/audit/items", audit_items, query=PastItemsQuery, answers=(_PAGE,), problems=_LIST_PROBLEMS),
    _item("/audit/items/{item_id}", audit_item, answers=(_VERSIONS, _NOT_MODIFIED), problems=_ITEM_PROBLEMS),
]
