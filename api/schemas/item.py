"""The JSON of items: what clients send and what they receive."""

from decimal import Decimal
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import decode

from api.http.problems import INVALID_BODY, FieldError, Problem
from commands.errors import InvalidFieldError
from commands.item import ChangeItem, CreateItem
from commands.name import Name, NewName, check_name
from commands.price import PRICE_PATTERN, parse_price
from eventstore.events import PRICE_SCALE
from eventstore.item import Item as ItemState
from eventstore.item import LiveItem
from projections.items.items import PRICE_UNITS, ItemView, price_units

_REQUEST_PRICE = {"type": "number", "exclusiveMinimum": -(10**14), "exclusiveMaximum": 10**14}
#: A client that reads prices as binary fractions reads the greatest one as 10^14.
RESPONSE_PRICE = {"type": "number", "minimum": -(10**14), "maximum": 10**14}
_Price = Annotated[
    Raw,
    Meta(
        description="An exact decimal with at most 4 fractional digits, as a number or a string",
        extra_json_schema={"oneOf": [_REQUEST_PRICE, {"type": "string", "pattern": PRICE_PATTERN}]},
    ),
]
_Name = Annotated[
    NewName,
    Meta(
        description="Must not be blank, or contain control characters, bidirectional controls or invisible characters. "
        "Joiners and variation selectors are allowed where a script or an emoji needs them",
    ),
]

#: The most items that one batch may create.
MAX_BATCH_ITEMS = 1000


class NewItem(Struct, frozen=True, forbid_unknown_fields=True):
    """An item to create."""

    name: _Name
    price: _Price
    in_stock: bool = True


_BATCH = Meta(min_length=1, max_length=MAX_BATCH_ITEMS)
NewItems = Annotated[list[NewItem], _BATCH]
RawItems = Annotated[list[Raw], _BATCH]


class ItemPatch(Struct, frozen=True, forbid_unknown_fields=True):
    """A change of an item as a JSON Merge Patch (RFC 7396). Absent fields stay as they are.

    Every field of an item is required, so none can be `null`.
    """

    name: _Name | UnsetType = UNSET
    price: _Price | UnsetType = UNSET
    in_stock: bool | UnsetType = UNSET


class Item(Struct, frozen=True):
    """An item."""

    id: Annotated[
        int,
        Meta(ge=1, description="The log position of the event that created it", extra_json_schema={"format": "int64"}),
    ]
    name: Name
    price: Annotated[Raw, Meta(description="Exact, with at most 4 fractional digits", extra_json_schema=RESPONSE_PRICE)]
    in_stock: bool


def to_create(body: NewItem) -> CreateItem:
    """Return the command for `body`. Raises InvalidFieldError."""
    return CreateItem(check_name(body.name), _price(body.price), body.in_stock)


def to_creates(bodies: list[NewItem]) -> list[CreateItem]:
    """Return the commands for `bodies`. Raises Problem (422) with a pointer to each invalid field."""
    commands: list[CreateItem] = []
    errors: list[FieldError] = []
    for index, body in enumerate(bodies):
        try:
            commands.append(to_create(body))
        except InvalidFieldError as error:
            errors.append(FieldError(str(error), pointer=f"/{index}/{error.field}"))
    if errors:
        raise Problem(INVALID_BODY, errors=tuple(errors))
    return commands


def to_change(item_id: int, body: ItemPatch, versions: frozenset[int] | None) -> ChangeItem:
    """Return the command for `body`. Raises InvalidFieldError."""
    name = body.name if isinstance(body.name, UnsetType) else check_name(body.name)
    price = body.price if isinstance(body.price, UnsetType) else _price(body.price)
    return ChangeItem(item_id, name, price, body.in_stock, versions)


def _price(json: Raw) -> Decimal:
    text = bytes(json)
    return parse_price(decode(text, type=str) if text.startswith(b'"') else text.decode())


def state_to_item(item_id: int, state: ItemState) -> Item:
    """Return an item as a command left it."""
    assert isinstance(state, LiveItem)
    return Item(item_id, state.name, price_json(price_units(state.price)), state.in_stock)


def to_item(view: ItemView) -> Item:
    """Return an item as its row in the projection is."""
    return Item(view.id, view.name, price_json(view.price), view.in_stock)


def price_json(units: int) -> Raw:
    """Return ten-thousandths as a JSON number: exact, without trailing zeros but with one fractional digit."""
    whole, fraction = divmod(abs(units), PRICE_UNITS)
    digits = f"{fraction:0{PRICE_SCALE}}".rstrip("0") or "0"
    return Raw(f"{'-' if units < 0 else ''}{whole}.{digits}".encode())
