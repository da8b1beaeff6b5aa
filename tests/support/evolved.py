"""Types of events to come: a price says its currency, and all prices until then were in euros."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from msgspec import Struct
from msgspec.structs import asdict

from eventstore import codec, item
from eventstore.codec import Codec, Upcaster
from eventstore.events import EVENT_TYPES, ItemCreated
from eventstore.item import DeletedItem, Item, LiveItem
from eventstore.log import transitions


class ItemCreatedV2(Struct, frozen=True, forbid_unknown_fields=True):
    """An item began to exist."""

    type: ClassVar[str] = "item.created.v2"
    name: str
    price: Decimal
    in_stock: bool
    currency: str


def in_euros(old: ItemCreated) -> ItemCreatedV2:
    """Lift the first form of the event."""
    return ItemCreatedV2(old.name, old.price, old.in_stock, "EUR")


#: What the next version of the code would read and write.
EVOLVED = Codec(
    [*(one for one in EVENT_TYPES if one is not ItemCreated), ItemCreatedV2],
    [Upcaster(ItemCreated, ItemCreatedV2, in_euros)],
)


_evolve_today = item.evolve


class LiveItemWithCurrency(LiveItem, frozen=True):
    """The state of an item in the next version of the code."""

    currency: str


class DeletedItemWithCurrency(DeletedItem, frozen=True):
    """The same of a deleted item."""

    currency: str


def evolve(state: Item, event: Any) -> Item:
    """Do what the next version's `evolve` would do."""
    if isinstance(event, ItemCreatedV2):
        return LiveItemWithCurrency(state.version + 1, event.name, event.price, event.in_stock, event.currency)
    after = _evolve_today(state, event)
    if not isinstance(state, LiveItemWithCurrency | DeletedItemWithCurrency):
        return after
    assert isinstance(after, LiveItem | DeletedItem)
    state_class = LiveItemWithCurrency if isinstance(after, LiveItem) else DeletedItemWithCurrency
    return state_class(**asdict(after), currency=state.currency)


@contextmanager
def using(other: Codec) -> Iterator[None]:
    """Be the version of the code that has the codec `other`, in every thread, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "CODEC", other)
        patch.setattr(item, "evolve", evolve)
        patch.setattr(transitions, "evolve", evolve)
        yield
