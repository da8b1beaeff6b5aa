"""Types of events to come: a price says its currency, and all prices until then were in euros."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import ClassVar

import pytest
from msgspec import Struct

from eventstore import codec
from eventstore.codec import Codec, Upcaster
from eventstore.events import EVENT_TYPES, ItemCreated


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


@contextmanager
def using(other: Codec) -> Iterator[None]:
    """Be the version of the code that has the codec `other`, in every thread, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "CODEC", other)
        yield
