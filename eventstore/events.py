"""Every event type, one frozen Struct per (name, version), and the envelopes that carry events.

A type's stored name is explicit and versioned, never a class name. An additive change is a new field with a default.
Any other change is a new type, with an upcaster in `codec.py` from the old one. Old types stay decodable for ever:
`tests/golden/` holds one file per type.
"""

from decimal import Decimal
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType

#: The most fractional digits of a recorded price.
PRICE_SCALE = 4


class ItemCreated(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An item was created. Its id is the position of this event."""

    type: ClassVar[str] = "item.created.v1"
    name: str
    price: Decimal
    in_stock: bool


class ItemChanged(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Some fields of an item changed. A field that did not change is absent."""

    type: ClassVar[str] = "item.changed.v1"
    name: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    in_stock: bool | UnsetType = UNSET


class ItemDeleted(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An item was deleted for clients. Its history stays."""

    type: ClassVar[str] = "item.deleted.v1"


class ItemRestored(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A deleted item was restored to its last state, under its id."""

    type: ClassVar[str] = "item.restored.v1"


Event = ItemCreated | ItemChanged | ItemDeleted | ItemRestored

#: Register a new event here; `codec.py` and the golden-file test read this tuple.
EVENT_TYPES: tuple[type[Event], ...] = (ItemCreated, ItemChanged, ItemDeleted, ItemRestored)


class Metadata(Struct, frozen=True):
    """The actor of a command, and what the command belongs to."""

    #: Unique in the log together with the event's ordinal.
    command_id: str
    #: The name of the credential's holder, or `anonymous`. Two holders can have had it one after the other.
    actor: str = "anonymous"
    #: `key:` and the id of an API key, `jwt:` and the issuer of a token; None for `anonymous`.
    credential: str | None = None
    #: SHA-256 of the command as sent, 32 bytes.
    fingerprint: bytes = bytes(32)
    correlation_id: str | None = None
    causation_id: str | None = None


class ItemEvent(Struct, frozen=True, gc=False):
    """The part of a recorded event that concerns the item: the input of projections and replays."""

    #: 1, 2, 3, ... without a gap, in commit order.
    position: int
    item_id: int
    version: int
    #: Microseconds since the epoch, UTC; never less than the previous event's.
    recorded_at: int
    event: Event


class RecordedEvent(ItemEvent, frozen=True, gc=False):
    """An event as the log holds it, with the metadata of its command."""

    metadata: Metadata
    #: The event's index among its command's events, from 0.
    ordinal: int = 0
