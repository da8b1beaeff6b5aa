"""The life of one item: its commands, its states, `decide` and `evolve`. Pure: no clock, no database, no randomness."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Annotated, assert_never

from msgspec import UNSET, Meta, Struct

from commands.errors import InvalidPriceError, ItemNotFoundError, VersionMismatchError
from eventstore.events import PRICE_SCALE, Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored

#: Not all blank, and no control character. It reads alike in Python and in JSON Schema (ECMA 262), which differ in what
#: `$` is, so that `(?![\s\S])` is the end, and in whether `\s` has U+FEFF. It can't be made to backtrack: each part is
#: tried once.
NAME_PATTERN = r"^(?![\s\ufeff]*$)[^\u0000-\u001f\u007f-\u009f]*(?![\s\S])"
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=NAME_PATTERN)]

#: Prices are less than this, either way.
PRICE_LIMIT = Decimal(10) ** 14

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?")
_LONGEST_NUMBER = 64
_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])
_UNIT = Decimal(1).scaleb(-PRICE_SCALE)


def parse_price(text: str) -> Decimal:
    """Read a JSON number exactly, as a Decimal without trailing zeros or exponent. Raises InvalidPriceError."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise InvalidPriceError
    try:
        price = Decimal(text).quantize(_UNIT, context=_EXACT)
    except (Inexact, InvalidOperation):
        raise InvalidPriceError from None
    if abs(price) >= PRICE_LIMIT:
        raise InvalidPriceError
    return _shortest(price)


def _shortest(price: Decimal) -> Decimal:
    integral = price.to_integral_value()
    # The first is without an exponent, which normalize() would give 100; and zero has no sign.
    return integral + Decimal(0) if price == integral else price.normalize(_EXACT)


class CreateItem(Struct, frozen=True):
    """Make an item begin to exist."""

    name: Name
    price: Decimal
    in_stock: bool = True


class DeleteItem(Struct, frozen=True):
    """Make an item cease to exist for clients."""

    item_id: int
    #: Only if the item's version is one of these.
    versions: frozenset[int] | None = None


Command = CreateItem | DeleteItem


class NoItem(Struct, frozen=True):
    """Nothing has happened yet."""

    version: int = 0


class LiveItem(Struct, frozen=True):
    """An item that clients see."""

    version: int
    name: str
    price: Decimal
    in_stock: bool


class DeletedItem(Struct, frozen=True):
    """An item that was deleted, as it last was."""

    version: int
    name: str
    price: Decimal
    in_stock: bool


Item = NoItem | LiveItem | DeletedItem


def decide(command: Command, item: Item) -> list[Event]:
    """Give the events that `command` makes of `item`; none where nothing changes.

    Raises CommandRejectedError, and ValueError for an item that begins a second time: ids are given by the log.
    """
    match command, item:
        case CreateItem(name, price, in_stock), NoItem():
            return [ItemCreated(name, price, in_stock)]
        case CreateItem(), _:
            raise ValueError(f"an item begins once, and this one already has: {item!r}")
        case DeleteItem(_, versions), LiveItem():
            if versions is not None and item.version not in versions:
                raise VersionMismatchError(item.version)
            return [ItemDeleted()]
        case DeleteItem(), NoItem() | DeletedItem():
            raise ItemNotFoundError
        case _:
            assert_never(command)


def evolve(item: Item, event: Event) -> Item:
    """Give `item` after `event`. Raises ValueError for a history that `decide` can't have made."""
    match event, item:
        case ItemCreated(name, price, in_stock), NoItem():
            return LiveItem(1, name, price, in_stock)
        case ItemChanged(name, price, in_stock), LiveItem():
            return LiveItem(
                item.version + 1,
                item.name if name is UNSET else name,
                item.price if price is UNSET else price,
                item.in_stock if in_stock is UNSET else in_stock,
            )
        case ItemDeleted(), LiveItem(version, name, price, in_stock):
            return DeletedItem(version + 1, name, price, in_stock)
        case ItemRestored(), DeletedItem(version, name, price, in_stock):
            return LiveItem(version + 1, name, price, in_stock)
        case ((ItemCreated() | ItemChanged() | ItemDeleted() | ItemRestored()), _):
            raise ValueError(f"{event.type} can't happen to {item!r}")
        case _:
            assert_never(event)
