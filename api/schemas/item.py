"""Items as they travel: what clients send of them, what they are told of them."""

from decimal import Decimal
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import decode

from api.http.problems import INVALID_BODY, FieldError, Problem
from commands.errors import InvalidPriceError
from commands.item import ChangeItem, CreateItem, LiveItem, Name
from commands.item import Item as State
from commands.price import PRICE_PATTERN, parse_price
from eventstore.events import PRICE_SCALE
from projections.items.items import PRICE_UNITS, ItemView, price_units

_SENT_NUMBER = {"type": "number", "exclusiveMinimum": -(10**14), "exclusiveMaximum": 10**14}
#: To those who read it as a binary fraction, the greatest price is 10^14.
SHOWN_NUMBER = {"type": "number", "minimum": -(10**14), "maximum": 10**14}
_SENT_PRICE = Meta(
    description="An exact decimal with at most 4 fractional digits; a number, or the same as a string",
    extra_json_schema={"oneOf": [_SENT_NUMBER, {"type": "string", "pattern": PRICE_PATTERN}]},
)
_SENT_NAME = Meta(description="Not blank, without control characters")

#: Items that one batch may create.
MAX_BATCH = 1000


class NewItem(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client says of an item it creates."""

    name: Annotated[Name, _SENT_NAME]
    price: Annotated[Raw, _SENT_PRICE]
    in_stock: bool = True


_COUNT = Meta(min_length=1, max_length=MAX_BATCH)
NewItems = Annotated[list[NewItem], _COUNT]
Countable = Annotated[list[Raw], _COUNT]


class ItemPatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client wants changed of an item (JSON Merge Patch, RFC 7396); what is absent stays as it is.

    No field of an item can be missing, so none can be `null`.
    """

    name: Annotated[Name, _SENT_NAME] | UnsetType = UNSET
    price: Annotated[Raw, _SENT_PRICE] | UnsetType = UNSET
    in_stock: bool | UnsetType = UNSET


class Item(Struct, frozen=True):
    """An item."""

    id: Annotated[
        int,
        Meta(ge=1, description="The log position of the event that created it", extra_json_schema={"format": "int64"}),
    ]
    name: Name
    price: Annotated[Raw, Meta(description="Exact, with at most 4 fractional digits", extra_json_schema=SHOWN_NUMBER)]
    in_stock: bool


def creation(body: NewItem) -> CreateItem:
    """Make the command that `body` asks for. Raises InvalidPriceError."""
    return CreateItem(body.name, _price(body.price), body.in_stock)


def creations(bodies: list[NewItem]) -> list[CreateItem]:
    """Make the commands that `bodies` ask for. Raises Problem (422) with a pointer to each price that is none."""
    commands: list[CreateItem] = []
    faults: list[FieldError] = []
    for index, body in enumerate(bodies):
        try:
            commands.append(creation(body))
        except InvalidPriceError as error:
            faults.append(FieldError(str(error), pointer=f"/{index}/price"))
    if faults:
        raise Problem(INVALID_BODY, errors=tuple(faults))
    return commands


def change(item_id: int, body: ItemPatch, versions: frozenset[int] | None) -> ChangeItem:
    """Make the command that `body` asks for. Raises InvalidPriceError."""
    price = body.price if isinstance(body.price, UnsetType) else _price(body.price)
    return ChangeItem(item_id, body.name, price, body.in_stock, versions)


def _price(sent: Raw) -> Decimal:
    text = bytes(sent)
    return parse_price(decode(text, type=str) if text.startswith(b'"') else text.decode())


def shown(item_id: int, item: State) -> Item:
    """Give an item as a command left it."""
    assert isinstance(item, LiveItem)
    return Item(item_id, item.name, Raw(number(price_units(item.price))), item.in_stock)


def listed(view: ItemView) -> Item:
    """Give an item as its row has it."""
    return Item(view.id, view.name, Raw(number(view.price)), view.in_stock)


def number(units: int) -> bytes:
    """Write ten-thousandths as a JSON number: exact, without trailing zeros but with one fractional digit."""
    whole, fraction = divmod(abs(units), PRICE_UNITS)
    digits = f"{fraction:0{PRICE_SCALE}}".rstrip("0") or "0"
    return f"{'-' if units < 0 else ''}{whole}.{digits}".encode()
