"""Event <-> (type, exact bytes), and the bytes that the tree hashes.

Events are stored as the JSON text msgspec writes, so that they can be read in twenty years with no code of ours. An
old type is lifted to its newest form by `UPCASTERS` while it is read; what is stored never changes.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from eventstore.errors import CorruptEventError, UnknownEventTypeError
from eventstore.events import EVENT_TYPES, Event, ProposedEvent

_encoder = msgspec.json.Encoder()
_decoders: dict[str, msgspec.json.Decoder[Event]] = {
    event_type.type: msgspec.json.Decoder(event_type) for event_type in EVENT_TYPES
}

#: Old event struct -> a function to the next newer one; applied until a type has none. Empty while every type is a v1.
UPCASTERS: dict[type, Callable[[Any], Event]] = {}


def encode(event: Event) -> str:
    """Give the exact JSON text that is stored and hashed for `event`."""
    return _encoder.encode(event).decode()


def decode(position: int, type: str, data: str) -> Event:
    """Read a stored event and lift it to its newest form.

    Raises UnknownEventTypeError or CorruptEventError, both naming the position: nothing is skipped silently.
    """
    decoder = _decoders.get(type)
    if decoder is None:
        raise UnknownEventTypeError(position, type)
    try:
        event = decoder.decode(data)
    except msgspec.DecodeError as error:
        raise CorruptEventError(position, type, str(error)) from error
    while upcast := UPCASTERS.get(event.__class__):
        event = upcast(event)
    return event


def leaf(position: int, recorded_at: int, proposed: ProposedEvent, data: str) -> bytes:
    """Give the bytes that the tree's leaf commits to: a JSON array that any language can write again.

    `[position, item_id, version, type, recorded_at, actor, command_id, ordinal, correlation_id, causation_id, data]`
    in UTF-8 as JavaScript's JSON.stringify writes it, `data` as the string it is stored as.
    """
    metadata = proposed.metadata
    return _encoder.encode(
        (
            position,
            proposed.item_id,
            proposed.version,
            proposed.event.type,
            recorded_at,
            metadata.actor,
            metadata.command_id,
            proposed.ordinal,
            metadata.correlation_id,
            metadata.causation_id,
            data,
        )
    )
