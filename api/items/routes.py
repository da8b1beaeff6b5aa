"""The routes of items: parse, then a command or a query, then the answer."""

from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.routing import Answer, Route
from api.http.etags import etag, expected_versions, matches_none
from api.http.path_params import ITEM_ID, parse_item_id
from api.http.problems import (
    INVALID_BODY,
    INVALID_HEADER,
    ITEM_NOT_DELETED,
    ITEM_NOT_FOUND,
    KEY_REUSED,
    MALFORMED_BODY,
    OUTCOME_UNKNOWN,
    OVERLOADED,
    POSITION_NOT_REACHED,
    PRECONDITION_FAILED,
    STORAGE_FULL,
    UNSUPPORTED_MEDIA_TYPE,
)
from api.http.query_params import StateQuery
from api.http.request_body import decoded
from api.http.responses import HttpResponse, json_response
from api.schemas.item import Countable, Item, ItemPatch, NewItem, NewItems, change, creation, creations, listed, shown
from api.schemas.item_list_query import ListQuery
from commands.batch import Recorded
from commands.errors import ItemNotFoundError
from commands.item import DeleteItem, RestoreItem


async def create_item(body: NewItem) -> HttpResponse:
    """Create an item.

    Its id is the position in the log of the event that created it, and is never given again. The answer comes after
    the commit. What was committed has no second effect where it is sent again with the same `Idempotency-Key` and
    body, and is answered as the first time. Without a key a second send creates a second item.
    """
    recorded = await current.get().submit(creation(body))
    return _state(201, recorded, (b"location", b"/items/%d" % recorded.item_id))


async def create_items() -> HttpResponse:
    """Create up to 1,000 items, all or none.

    One transaction. Where one item is not as it must be, none is created, and the problem's `errors` say which, by
    JSON Pointer. The answer comes after the commit. What was committed has no second effect where it is sent again
    with the same `Idempotency-Key` and body, and is answered as the first time.
    """
    request = current.get()
    # Decoded here: the framework gives a list unchecked. Counted first, which costs a fraction of looking into each.
    decoded(request.body, Countable)
    recorded = await request.submit(*creations(decoded(request.body, NewItems)))
    return json_response(201, [shown(item_id, item) for item_id, item in recorded.items])


async def list_items() -> HttpResponse:
    """List items, a page at a time.

    Follow `rel="next"` of the `Link` header until there is none; an empty page is no error. A cursor is bound to
    the filters and the order that it was given for; `limit` may differ from page to page. A page is of one moment,
    its `Log-Position`; the next may be of a later one. Going through all pages, you see every item that is there
    and unchanged throughout exactly once, whatever is written meanwhile. Only where a change moves an item in the
    order that you asked for can you see it twice, or not at all: the order by id never changes.
    """
    request = current.get()
    query: ListQuery = request.query
    after = query.after()
    await request.wait_for_position(query.min_position)
    page = await request.services.items.page(query.filter(), query.order(), after, query.limit)
    request.set_log_position(page.position)
    return json_response(200, list(map(listed, page.items)), (b"link", query.links(request.path, page.next)))


async def get_item(item_id: str) -> HttpResponse:
    """Get one item.

    With `If-None-Match` the answer is 304, without a body, where the item is still as that `ETag` names it. To read
    what you have just written, give the `Log-Position` of that answer as `min_position`.
    """
    request = current.get()
    await request.wait_for_position(request.query.min_position)
    position, view = await request.services.items.get(parse_item_id(item_id))
    request.set_log_position(position)
    if view is None:
        raise ItemNotFoundError
    tag = etag(view.version)
    if not matches_none(request.headers.get(b"if-none-match"), tag):
        return HttpResponse(304, headers=((b"etag", tag),))
    return json_response(200, listed(view), (b"etag", tag))


async def change_item(item_id: str, body: ItemPatch) -> HttpResponse:
    """Change fields of an item.

    A JSON Merge Patch (RFC 7396): what is absent stays as it is. No field of an item can be missing, so none can be
    `null`. A patch that changes nothing is answered 200 and leaves no trace in the log. With `If-Match` it is
    carried out only where the item is still as that `ETag` names it, and else answered 412: of two clients that saw
    the same state one wins. The answer comes after the commit. What was committed has no second effect where it is
    sent again with the same `Idempotency-Key` and body, and is answered as the first time.
    """
    request = current.get()
    return _state(200, await request.submit(change(parse_item_id(item_id), body, _versions(request))))


async def delete_item(item_id: str) -> HttpResponse:
    """Delete an item.

    The item is gone for clients, and can be restored; its history stays in the log. What is deleted already is not
    found. With `If-Match` it is carried out only where the item is still as that `ETag` names it, and else answered
    412: of two clients that saw the same state one wins. The answer comes after the commit. What was committed has
    no second effect where it is sent again with the same `Idempotency-Key` and body, and is answered as the first
    time.
    """
    request = current.get()
    await request.submit(DeleteItem(parse_item_id(item_id), _versions(request)))
    return HttpResponse(204)


async def restore_item(item_id: str) -> HttpResponse:
    """Bring a deleted item back.

    As it last was, under its id. An item that is there is answered 409. `If-Match` compares with the `ETag` that
    the item had when it was deleted. The answer comes after the commit. What was committed has no second effect
    where it is sent again with the same `Idempotency-Key` and body, and is answered as the first time.
    """
    request = current.get()
    return _state(200, await request.submit(RestoreItem(parse_item_id(item_id), _versions(request))))


def _state(status: int, recorded: Recorded, *headers: tuple[bytes, bytes]) -> HttpResponse:
    tag = (b"etag", etag(recorded.item.version))
    return json_response(status, shown(recorded.item_id, recorded.item), *headers, tag)


def _versions(request: RequestContext) -> frozenset[int] | None:
    return expected_versions(request.headers.get(b"if-match"))


_EXAMPLE = {"id": 1, "name": "Fountain pen", "price": 24.5, "in_stock": True}
_CHANGED = {"id": 1, "name": "Fountain pen", "price": 19.95, "in_stock": True}
_NEW = {"name": "Fountain pen", "price": 24.5}
_KEY = "Idempotency-Key"
_WRITTEN = ("Idempotency-Replayed",)
_WRITING = (INVALID_HEADER, KEY_REUSED, OVERLOADED, OUTCOME_UNKNOWN, STORAGE_FULL)
_READING_A_BODY = (MALFORMED_BODY, UNSUPPORTED_MEDIA_TYPE, INVALID_BODY)
_READING = (POSITION_NOT_REACHED, STORAGE_FULL)  # a database may need room to read, too
_ITS_ID = {"item_id": "$response.body#/id"}
_THE_FIRST = {"item_id": "$response.body#/0/id"}
_THE_SAME = {"item_id": "$request.path.item_id"}

#: What holds of every write, and is said with each.
_DURABLE = (
    "The answer comes after the commit. What was committed has no second effect where it is sent again with the same "
    "`Idempotency-Key` and body, and is answered as the first time."
)
_PRECONDITION = (
    "With `If-Match` it is carried out only where the item is still as that `ETag` names it, and else answered 412: of "
    "two clients that saw the same state one wins."
)

ROUTES = [
    Route(
        "POST",
        "/items",
        create_item,
        tag="items",
        scope=Scope.ITEMS_WRITE,
        headers=(_KEY,),
        body=NewItem,
        example=_NEW,
        answers=(Answer(201, "Created", Item, ("Location", "ETag", *_WRITTEN), _EXAMPLE, links=_ITS_ID),),
        problems=(*_READING_A_BODY, *_WRITING),
    ),
    Route(
        "GET",
        "/items",
        list_items,
        tag="items",
        scope=Scope.ITEMS_READ,
        query=ListQuery,
        answers=(Answer(200, "A page of items", list[Item], ("Link",), [_EXAMPLE]),),
        problems=_READING,
    ),
    Route(
        "POST",
        "/items/batch",
        create_items,
        tag="items",
        scope=Scope.ITEMS_WRITE,
        headers=(_KEY,),
        body=NewItems,
        large_body=True,
        example=[_NEW, {"name": "Nib", "price": "0.35", "in_stock": False}],
        answers=(
            Answer(
                201,
                "Created, in the order they were sent",
                list[Item],
                _WRITTEN,
                [_EXAMPLE, {"id": 2, "name": "Nib", "price": 0.35, "in_stock": False}],
                links=_THE_FIRST,
            ),
        ),
        problems=(*_READING_A_BODY, *_WRITING),
    ),
    Route(
        "GET",
        "/items/{item_id}",
        get_item,
        tag="items",
        scope=Scope.ITEMS_READ,
        path_schemas=ITEM_ID,
        query=StateQuery,
        headers=("If-None-Match",),
        answers=(
            Answer(200, "The item", Item, ("ETag",), _EXAMPLE, links=_ITS_ID),
            Answer(304, "Still as the client has it", None, ("ETag",)),
        ),
        problems=(ITEM_NOT_FOUND, *_READING),
    ),
    Route(
        "PATCH",
        "/items/{item_id}",
        change_item,
        tag="items",
        scope=Scope.ITEMS_WRITE,
        path_schemas=ITEM_ID,
        headers=("If-Match", _KEY),
        body=ItemPatch,
        media_types=("application/merge-patch+json", "application/json"),
        example={"price": 19.95},
        answers=(Answer(200, "The item as it is now", Item, ("ETag", *_WRITTEN), _CHANGED, links=_ITS_ID),),
        problems=(ITEM_NOT_FOUND, PRECONDITION_FAILED, *_READING_A_BODY, *_WRITING),
    ),
    Route(
        "DELETE",
        "/items/{item_id}",
        delete_item,
        tag="items",
        scope=Scope.ITEMS_WRITE,
        path_schemas=ITEM_ID,
        headers=("If-Match", _KEY),
        answers=(Answer(204, "Deleted", None, _WRITTEN, links=_THE_SAME),),
        problems=(ITEM_NOT_FOUND, PRECONDITION_FAILED, *_WRITING),
    ),
    Route(
        "POST",
        "/items/{item_id}/restore",
        restore_item,
        tag="items",
        scope=Scope.ITEMS_WRITE,
        path_schemas=ITEM_ID,
        headers=("If-Match", _KEY),
        answers=(Answer(200, "The item as it is again", Item, ("ETag", *_WRITTEN), _EXAMPLE, links=_ITS_ID),),
        problems=(ITEM_NOT_FOUND, ITEM_NOT_DELETED, PRECONDITION_FAILED, *_WRITING),
    ),
]
