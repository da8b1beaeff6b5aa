"""The JSON of item versions: an event, and the fields that it changed."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.structs import asdict

from api.schemas.event import EventDocument, to_event_document
from api.schemas.item import RESPONSE_PRICE, price_json
from commands.name import Name
from projections.items.history import Version

C = TypeVar("C")

_FROM = Meta(description="The previous value, null if the item did not exist")
_TO = Meta(description="The new value, null if the item does not exist")
_PRICE = Meta(extra_json_schema={**RESPONSE_PRICE, "type": ["number", "null"]})


class NameChange(Struct, frozen=True):
    """A change of the name."""

    from_: Annotated[Name | None, _FROM] = field(name="from")
    to: Annotated[Name | None, _TO]


class PriceChange(Struct, frozen=True):
    """A change of the price."""

    from_: Annotated[Raw, _FROM, _PRICE] = field(name="from")
    to: Annotated[Raw, _TO, _PRICE]


class StockChange(Struct, frozen=True):
    """A change of `in_stock`."""

    from_: Annotated[bool | None, _FROM] = field(name="from")
    to: Annotated[bool | None, _TO]


class Changes(Struct, frozen=True, omit_defaults=True):
    """The fields that changed: all of them if the item was created, deleted or restored."""

    name: NameChange | UnsetType = UNSET
    price: PriceChange | UnsetType = UNSET
    in_stock: StockChange | UnsetType = UNSET


class ItemVersion(EventDocument, frozen=True, forbid_unknown_fields=True):
    """A version of an item: the event that made it, and the fields that it changed."""

    changes: Changes


def to_item_version(version: Version) -> ItemVersion:
    """Return the document of a version."""
    before, after = version.before, version.after
    changes = Changes(
        _change(before and before.name, after and after.name, NameChange),
        _change(before and before.price, after and after.price, _price_change),
        _change(before and before.in_stock, after and after.in_stock, StockChange),
    )
    return ItemVersion(**asdict(to_event_document(version.event)), changes=changes)


def _change(before: object, after: object, change: Callable[[Any, Any], C]) -> C | UnsetType:
    return UNSET if before == after else change(before, after)


def _price_change(before: int | None, after: int | None) -> PriceChange:
    return PriceChange(*(Raw(b"null") if units is None else price_json(units) for units in (before, after)))
