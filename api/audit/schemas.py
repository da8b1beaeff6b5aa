"""The versions of an item as they travel: each is an event, and what that changed for those who see the item."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.structs import asdict

from api.schemas.event import EventDocument, document
from api.schemas.item import SHOWN_NUMBER, number
from commands.item import Name
from projections.items.history import Version

C = TypeVar("C")

_BEFORE = Meta(description="What it was, null where there was no item")
_SINCE = Meta(description="What it is since, null where there is no item")
_SHOWN_PRICE = Meta(extra_json_schema={**SHOWN_NUMBER, "type": ["number", "null"]})


class NameChange(Struct, frozen=True):
    """Another name."""

    from_: Annotated[Name | None, _BEFORE] = field(name="from")
    to: Annotated[Name | None, _SINCE]


class PriceChange(Struct, frozen=True):
    """Another price."""

    from_: Annotated[Raw, _BEFORE, _SHOWN_PRICE] = field(name="from")
    to: Annotated[Raw, _SINCE, _SHOWN_PRICE]


class StockChange(Struct, frozen=True):
    """In stock, or no longer."""

    from_: Annotated[bool | None, _BEFORE] = field(name="from")
    to: Annotated[bool | None, _SINCE]


class Changes(Struct, frozen=True, omit_defaults=True):
    """The fields that took another value: all of them where the item was created, deleted or restored."""

    name: NameChange | UnsetType = UNSET
    price: PriceChange | UnsetType = UNSET
    in_stock: StockChange | UnsetType = UNSET


class ItemVersion(EventDocument, frozen=True, forbid_unknown_fields=True):
    """A version of an item: the event that made it, and what that changed."""

    changes: Changes


def shown(told: Version) -> ItemVersion:
    """Give what is shown of a version."""
    before, after = told.before, told.after
    changes = Changes(
        _changed(before and before.name, after and after.name, NameChange),
        _changed(before and before.price, after and after.price, _other_price),
        _changed(before and before.in_stock, after and after.in_stock, StockChange),
    )
    return ItemVersion(**asdict(document(told.event)), changes=changes)


def _changed(before: object, after: object, change: Callable[[Any, Any], C]) -> C | UnsetType:
    return UNSET if before == after else change(before, after)


def _other_price(before: int | None, after: int | None) -> PriceChange:
    return PriceChange(*(Raw(b"null" if units is None else number(units)) for units in (before, after)))
