"""The routes of items: parse, then a command or a query, then the answer."""

import re
from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.json import decode

from api.conditional import etag, expected_versions, matches_none
from api.context import current
from api.problems import (
    INVALID_BODY,
    ITEM_NOT_FOUND,
    MALFORMED_BODY,
    OUTCOME_UNKNOWN,
    OVERLOADED,
    PRECONDITION_FAILED,
    STORAGE_FULL,
    UNSUPPORTED_MEDIA_TYPE,
)
from api.query import Cursor, PageQuery, link_next, read_cursor
from api.reply import Reply, json_reply
from api.routing import Answer, Route
from commands.errors import ItemNotFoundError
from commands.item import CreateItem, DeleteItem, LiveItem, Name, parse_price
from eventstore.events import PRICE_SCALE
from projections.items import PRICE_UNITS, ItemView, price_units

_PRICE = {"minimum": -(10**14), "maximum": 10**14}
_PRICE_TEXT = r"^-?(0|[1-9][0-9]*)(\.[0-9]{1,4})?$"
_MAX_ID = 2**63 - 1
_ITEM_ID = re.compile(r"0|[1-9][0-9]{0,18}")


class NewItem(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client says of an item it creates."""

    name: Annotated[Name, Meta(description="Not blank, without control characters")]
    price: Annotated[
        Raw,
        Meta(
            description="An exact decimal with at most 4 fractional digits; a number, or the same as a string",
            extra_json_schema={"oneOf": [{"type": "number", **_PRICE}, {"type": "string", "pattern": _PRICE_TEXT}]},
        ),
    ]
    in_stock: bool = True


class Item(Struct, frozen=True):
    """An item."""

    id: Annotated[int, Meta(ge=1, description="The log position of the event that created it")]
    name: Name
    price: Annotated[
        Raw, Meta(description="Exact, with at most 4 fractional digits", extra_json_schema={"type": "number", **_PRICE})
    ]
    in_stock: bool


async def create_item(body: NewItem) -> Reply:
    """Create an item."""
    sent = bytes(body.price)
    price = parse_price(decode(sent, type=str) if sent.startswith(b'"') else sent.decode())
    recorded = await current.get().submit(CreateItem(body.name, price, body.in_stock))
    assert isinstance(recorded.item, LiveItem)
    view = ItemView(
        recorded.item_id,
        recorded.item.name,
        price_units(recorded.item.price),
        recorded.item.in_stock,
        recorded.item.version,
    )
    location = (b"location", b"/items/%d" % view.id)
    return json_reply(201, _item(view), location, (b"etag", etag(view.version)))


async def list_items() -> Reply:
    """List items by id, a page at a time."""
    request = current.get()
    query: PageQuery = request.query
    after = read_cursor(query.cursor).after if query.cursor else 0
    # One more than asked for tells whether there is a next page.
    request.position, views = await request.services.items.page(after, query.limit + 1)
    page = views[: query.limit]
    links = [link_next(request.path, query, Cursor(page[-1].id))] if len(views) > len(page) else []
    return json_reply(200, [_item(view) for view in page], *links)


async def get_item(item_id: str) -> Reply:
    """Get one item."""
    request = current.get()
    request.position, view = await request.services.items.get(_parse_id(item_id))
    if view is None:
        raise ItemNotFoundError
    tag = etag(view.version)
    if not matches_none(request.headers.get(b"if-none-match"), tag):
        return Reply(304, headers=((b"etag", tag),))
    return json_reply(200, _item(view), (b"etag", tag))


async def delete_item(item_id: str) -> Reply:
    """Delete an item."""
    request = current.get()
    await request.submit(DeleteItem(_parse_id(item_id), expected_versions(request.headers.get(b"if-match"))))
    return Reply(204)


def _parse_id(text: str) -> int:
    """Read an id from a path. What can't be the id of an item is not found, like an id that no item has."""
    if not _ITEM_ID.fullmatch(text) or int(text) > _MAX_ID:
        raise ItemNotFoundError
    return int(text)


def _item(view: ItemView) -> Item:
    return Item(view.id, view.name, Raw(_decimal(view.price)), view.in_stock)


def _decimal(units: int) -> bytes:
    """Write ten-thousandths as a JSON number: exact, without trailing zeros but with one fractional digit."""
    whole, fraction = divmod(abs(units), PRICE_UNITS)
    digits = f"{fraction:0{PRICE_SCALE}}".rstrip("0") or "0"
    return f"{'-' if units < 0 else ''}{whole}.{digits}".encode()


_ID_SCHEMA = {"item_id": {"type": "integer", "minimum": 1, "maximum": _MAX_ID}}
_EXAMPLE = {"id": 1, "name": "Fountain pen", "price": 24.5, "in_stock": True}
_WRITING = (OVERLOADED, OUTCOME_UNKNOWN, STORAGE_FULL)
_READING_A_BODY = (MALFORMED_BODY, UNSUPPORTED_MEDIA_TYPE, INVALID_BODY)

ROUTES = [
    Route(
        "POST",
        "/items",
        create_item,
        summary="Create an item",
        tag="items",
        body=NewItem,
        example={"name": "Fountain pen", "price": 24.5},
        answers=(Answer(201, "Created", Item, ("Location", "ETag", "Log-Position"), _EXAMPLE),),
        problems=(*_READING_A_BODY, *_WRITING),
    ),
    Route(
        "GET",
        "/items",
        list_items,
        summary="List items by id, a page at a time",
        tag="items",
        query=PageQuery,
        answers=(Answer(200, "A page of items", list[Item], ("Link", "Log-Position"), [_EXAMPLE]),),
        problems=(STORAGE_FULL,),  # a database may need room to read, too
    ),
    Route(
        "GET",
        "/items/{item_id}",
        get_item,
        summary="Get one item",
        tag="items",
        path_schemas=_ID_SCHEMA,
        headers=("If-None-Match",),
        answers=(
            Answer(200, "The item", Item, ("ETag", "Log-Position"), _EXAMPLE),
            Answer(304, "Still as the client has it", None, ("ETag", "Log-Position")),
        ),
        problems=(ITEM_NOT_FOUND, STORAGE_FULL),
    ),
    Route(
        "DELETE",
        "/items/{item_id}",
        delete_item,
        summary="Delete an item",
        tag="items",
        path_schemas=_ID_SCHEMA,
        headers=("If-Match",),
        answers=(Answer(204, "Deleted", None, ("Log-Position",)),),
        problems=(ITEM_NOT_FOUND, PRECONDITION_FAILED, *_WRITING),
    ),
]
