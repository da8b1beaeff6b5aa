"""The routes of items. A handler parses the request, runs a command or a query, and builds the response."""

from functools import partial

from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.routing import Answer, Route
from api.http import problems
from api.http.etags import etag, expected_versions, matches_none
from api.http.path_params import ITEM_ID, parse_item_id
from api.http.query_params import StateQuery
from api.http.request_body import decoded
from api.http.responses import HttpResponse, json_response
from api.schemas.examples import SHARED, load
from api.schemas.item import (
    Item,
    ItemPatch,
    NewItem,
    NewItems,
    RawItems,
    state_to_item,
    to_change,
    to_create,
    to_creates,
    to_item,
)
from api.schemas.item_list_query import ItemListQuery
from commands.batch import Recorded
from commands.errors import ItemNotFoundError
from commands.item import DeleteItem, RestoreItem
from projections.items.items import ITEMS


async def create_item(body: NewItem) -> HttpResponse:
    """Create an item.

    The item's id is the log position of the event that created it. Ids are never reused. A retry with the same
    `Idempotency-Key` and body has no second effect and returns the original response. A retry without a key creates a
    second item.
    """
    recorded = await current.get().submit(to_create(body))
    return _item_response(201, recorded, (b"location", b"/items/%d" % recorded.item_id))


async def create_items() -> HttpResponse:
    """Create up to 1,000 items in one transaction.

    Creates all items or none. If an item is not valid, nothing is created, and `errors` of the problem points to each
    fault by JSON Pointer. Send an `Idempotency-Key` to retry safely.
    """
    request = current.get()
    # Decoded here because the framework does not check lists. Counting first costs a fraction of decoding each item.
    decoded(request.body, RawItems)
    recorded = await request.submit(*to_creates(decoded(request.body, NewItems)))
    return json_response(201, [state_to_item(item_id, state) for item_id, state in recorded.items])


async def list_items() -> HttpResponse:
    """List items, one page at a time.

    Follow `rel="next"` of the `Link` header until there is none. An empty page is not an error. A cursor is valid
    only with the filters and the order that it was issued for. `limit` may differ from page to page. A page shows
    one moment, its `Log-Position`; the next page may show a later one. Reading all pages returns every item that
    exists and does not change meanwhile exactly once, regardless of concurrent writes. An item can appear twice or
    not at all only if a change moves it in the requested order. The order by id never changes.
    """
    request = current.get()
    query: ItemListQuery = request.query
    after = query.after()
    await request.wait_for_position(query.min_position)
    page = await request.services.items.page(query.filter(), query.order(), after, query.limit)
    request.set_log_position(page.position)
    return json_response(200, list(map(to_item, page.items)), (b"link", query.links(request.path, page.next)))


async def get_item(item_id: str) -> HttpResponse:
    """Get an item.

    With `If-None-Match`, responds with 304 and no body if the item still has that `ETag`. To read your own write,
    pass the `Log-Position` of its response as `min_position`.
    """
    request = current.get()
    await request.wait_for_position(request.query.min_position)
    position, table_version, view = await request.services.items.get(parse_item_id(item_id))
    request.set_log_position(position)
    if view is None:
        raise ItemNotFoundError
    tag = etag(table_version, view.version)
    if not matches_none(request.headers.get(b"if-none-match"), tag):
        return HttpResponse(304, headers=((b"etag", tag),))
    return json_response(200, to_item(view), (b"etag", tag))


async def change_item(item_id: str, body: ItemPatch) -> HttpResponse:
    """Change fields of an item.

    The body is a JSON Merge Patch (RFC 7396): absent fields stay as they are. Every field of an item is required, so
    none can be `null`. A patch that changes nothing responds with 200 and adds nothing to the log. With `If-Match`,
    the request is carried out only if the item still has that `ETag`, otherwise the response is 412. Of two clients
    that read the same state, one wins. Send an `Idempotency-Key` to retry safely.
    """
    request = current.get()
    command = to_change(parse_item_id(item_id), body, _expected_versions(request))
    return _item_response(200, await request.submit(command))


async def delete_item(item_id: str) -> HttpResponse:
    """Delete an item.

    Clients can no longer read the item, but can restore it. Its history stays in the log. Deleting a deleted item
    responds with 404. With `If-Match`, the request is carried out only if the item still has that `ETag`, otherwise
    the response is 412. Of two clients that read the same state, one wins. Send an `Idempotency-Key` to retry safely.
    """
    request = current.get()
    await request.submit(DeleteItem(parse_item_id(item_id), _expected_versions(request)))
    return HttpResponse(204)


async def restore_item(item_id: str) -> HttpResponse:
    """Restore a deleted item.

    The item has its previous id and its last state again. Restoring an item that is not deleted responds with 409.
    `If-Match` compares with the `ETag` that the item had when it was deleted. Send an `Idempotency-Key` to retry
    safely.
    """
    request = current.get()
    command = RestoreItem(parse_item_id(item_id), _expected_versions(request))
    return _item_response(200, await request.submit(command))


def _item_response(status: int, recorded: Recorded, *headers: tuple[bytes, bytes]) -> HttpResponse:
    tag = (b"etag", etag(current.get().services.live.version_of(ITEMS), recorded.item.version))
    return json_response(status, state_to_item(recorded.item_id, recorded.item), *headers, tag)


def _expected_versions(request: RequestContext) -> frozenset[int] | None:
    # The code's version, too: another process may just have swapped its table in.
    versions = (request.services.live.version_of(ITEMS), ITEMS.version)
    return expected_versions(request.headers.get(b"if-match"), versions)


_KEY, _REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
_EXAMPLES, _ITEM = load("items"), SHARED["item"]
_ID_LINK = {"item_id": "$response.body#/id"}
_FIRST_ID_LINK = {"item_id": "$response.body#/0/id"}
_PATH_ID_LINK = {"item_id": "$request.path.item_id"}

_CREATED = Answer(201, "Created", Item, ("Location", "ETag", _REPLAYED), _ITEM, links=_ID_LINK)
_ALL_CREATED = Answer(
    201, "Created, in request order", list[Item], (_REPLAYED,), _EXAMPLES["created_items"], links=_FIRST_ID_LINK
)
_PAGE = Answer(200, "A page of items", list[Item], ("Link",), [_ITEM])
_FOUND = Answer(200, "The item", Item, ("ETag",), _ITEM, links=_ID_LINK)
_NOT_MODIFIED = Answer(304, "The client's copy is current", None, ("ETag",))
_CHANGED = Answer(200, "The changed item", Item, ("ETag", _REPLAYED), _EXAMPLES["changed_item"], links=_ID_LINK)
_DELETED = Answer(204, "Deleted", None, (_REPLAYED,), links=_PATH_ID_LINK)
_RESTORED = Answer(200, "The restored item", Item, ("ETag", _REPLAYED), _ITEM, links=_ID_LINK)

# A database may need space to read, too.
_READ_PROBLEMS = (problems.POSITION_NOT_REACHED, problems.PROJECTION_NOT_READY, problems.STORAGE_FULL)
_GET_PROBLEMS = (problems.ITEM_NOT_FOUND, *_READ_PROBLEMS)
_BODY_PROBLEMS = (problems.MALFORMED_BODY, problems.UNSUPPORTED_MEDIA_TYPE, problems.INVALID_BODY)
_KEY_PROBLEMS = (problems.INVALID_HEADER, problems.KEY_REUSED)
_WRITE_PROBLEMS = (*_KEY_PROBLEMS, problems.OVERLOADED, problems.CLOCK_JUMP, problems.STORAGE_FULL)
_CREATE_PROBLEMS = (*_BODY_PROBLEMS, *_WRITE_PROBLEMS)
_DELETE_PROBLEMS = (problems.ITEM_NOT_FOUND, problems.PRECONDITION_FAILED, *_WRITE_PROBLEMS)
_CHANGE_PROBLEMS = (problems.ITEM_NOT_FOUND, problems.PRECONDITION_FAILED, *_CREATE_PROBLEMS)
_RESTORE_PROBLEMS = (problems.ITEM_NOT_FOUND, problems.ITEM_NOT_DELETED, problems.PRECONDITION_FAILED, *_WRITE_PROBLEMS)

_read = partial(Route, tag="items", scope=Scope.ITEMS_READ)
_get = partial(_read, path_schemas=ITEM_ID, query=StateQuery, headers=("If-None-Match",))
_create = partial(Route, tag="items", scope=Scope.ITEMS_WRITE, headers=(_KEY,), problems=_CREATE_PROBLEMS)
_write = partial(Route, tag="items", scope=Scope.ITEMS_WRITE, path_schemas=ITEM_ID, headers=("If-Match", _KEY))
_PATCH_TYPES = ("application/merge-patch+json", "application/json")
_patch = partial(_write, body=ItemPatch, media_types=_PATCH_TYPES, example=_EXAMPLES["item_patch"])
_batch = partial(_create, body=NewItems, large_body=True)

ROUTES = [
    _create("POST", "/items", create_item, body=NewItem, example=_EXAMPLES["new_item"], answers=(_CREATED,)),
    _read("GET", "/items", list_items, query=ItemListQuery, answers=(_PAGE,), problems=_READ_PROBLEMS),
    _batch("POST", "/items/batch", create_items, example=_EXAMPLES["new_items"], answers=(_ALL_CREATED,)),
    _get("GET", "/items/{item_id}", get_item, answers=(_FOUND, _NOT_MODIFIED), problems=_GET_PROBLEMS),
    _patch("PATCH", "/items/{item_id}", change_item, answers=(_CHANGED,), problems=_CHANGE_PROBLEMS),
    _write("DELETE", "/items/{item_id}", delete_item, answers=(_DELETED,), problems=_DELETE_PROBLEMS),
    _write("POST", "/items/{item_id}/restore", restore_item, answers=(_RESTORED,), problems=_RESTORE_PROBLEMS),
]
