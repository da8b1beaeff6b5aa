"""Every fact we may ever record, one frozen Struct per (name, version), and the envelopes they travel in.

A type's stored name is explicit and versioned, never a class name, and only ever grows: an additive change is a new
field with a default; anything else is a new type with an upcaster in `codec.py` from the old one, which stays
decodable for ever (`tests/golden/` holds one file per type).
"""

from decimal import Decimal
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType

#: Fractional digits that a recorded price has at most.
PRICE_SCALE = 4


class ItemCreated(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An item began to exist. Its id is the position of this event."""

    type: ClassVar[str] = "item.created.v1"
    name: str
    price: Decimal
    in_stock: bool


class ItemChanged(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Some fields of an item took new values; a field that did not change is absent."""

    type: ClassVar[str] = "item.changed.v1"
    name: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    in_stock: bool | UnsetType = UNSET


class ItemDeleted(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An item ceased to exist for clients. Its history stays."""

    type: ClassVar[str] = "item.deleted.v1"


class ItemRestored(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A deleted item came back as it last was, under its id."""

    type: ClassVar[str] = "item.restored.v1"


Event = ItemCreated | ItemChanged | ItemDeleted | ItemRestored

#: Register a new event here; `codec.py` and the golden-file test read this tuple.
EVENT_TYPES: tuple[type[Event], ...] = (ItemCreated, ItemChanged, ItemDeleted, ItemRestored)


class Metadata(Struct, frozen=True):
    """Who asked for a command, and what it belongs to."""

    #: Identifies the command; with the event's ordinal it is unique in the log.
    command_id: str
    #: The credential's name, or `anonymous`.
    actor: str = "anonymous"
    #: SHA-256 of the command as it was sent, 32 bytes.
    fingerprint: bytes = bytes(32)
    correlation_id: str | None = None
    causation_id: str | None = None


class ProposedEvent(Struct, frozen=True):
    """An event that was decided but is not yet in the log."""

    item_id: int
    #: The version the item has once this event is recorded: 1 for its first.
    version: int
    event: Event
    metadata: Metadata
    #: Which of its command's events this is, from 0.
    ordinal: int = 0


class ItemEvent(Struct, frozen=True, gc=False):
    """What a recorded event says of an item: all that a projection folds, and all that a replay reads."""

    #: 1, 2, 3, ... without a gap, in commit order.
    position: int
    item_id: int
    version: int
    #: Microseconds since the epoch, UTC; never less than the event's before.
    recorded_at: int
    event: Event


class RecordedEvent(ItemEvent, frozen=True, gc=False):
    """An event as the log holds it: the fact, and what it was recorded for."""

    metadata: Metadata
    ordinal: int = 0
