"""Encode and decode events, and encode the bytes that the tree hashes.

Events are stored as the JSON text that msgspec writes, so that they can be read in twenty years without our code.
Stored text never changes: `UPCASTERS` convert an event of an old type to its newest form while it is read.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, Union

import msgspec
from msgspec import Struct

from eventstore.errors import CorruptEventError, EventTypesError, OldEventTypeError, UnknownEventTypeError
from eventstore.events import EVENT_TYPES, Event, ItemEvent

Old = TypeVar("Old")
New = TypeVar("New")

_NAME = re.compile(r"([a-z_]+(?:\.[a-z_]+)+)\.v([1-9][0-9]*)")
_encoder = msgspec.json.Encoder()
_decode_any = msgspec.json.Decoder().decode


class Upcaster(Struct, Generic[Old, New], frozen=True):
    """One step of the conversion from an old event type to the newest."""

    old: type[Old]
    new: type[New]
    #: A pure function that accepts every event of the old type. It runs whenever one is read.
    lift: Callable[[Old], New]


class Codec:
    """The event types that can be read, and those that can be written: the newest. The constructor checks them."""

    def __init__(self, newest: Sequence[type[Any]], upcasters: Sequence[Upcaster[Any, Any]]) -> None:
        """Register the `newest` types and the old types of `upcasters`.

        Raises EventTypesError where a name is malformed or registered twice, where a version below another has no
        upcaster, and where upcasters form a cycle or do not lead to one of the newest types.
        """
        self.newest = frozenset(newest)
        steps = {upcaster.old: upcaster for upcaster in upcasters}
        types = [*newest, *(upcaster.old for upcaster in upcasters)]
        _check_names(types, self.newest)
        self._lifts = {one: _lifts(one, steps, self.newest) for one in types}
        #: By the stored name of a type: the function that decodes the text of an event to its newest form.
        self.readers: Mapping[str, Callable[[str], Event]] = {
            one.type: _reader(one, lifts) for one, lifts in self._lifts.items()
        }
        self._item_events = msgspec.json.Decoder(list[Union[tuple(map(_tagged, types))]])  # type: ignore[misc]  # noqa: UP007
        self._only_newest = not upcasters

    def item_events(self, text: str) -> list[ItemEvent]:
        """Decode a JSON array of events, each `[type, position, item_id, version, recorded_at, data]`.

        Raises msgspec.DecodeError, and what an upcaster raises, without a position. `readers` find the position.
        """
        decoded = self._item_events.decode(text)
        return decoded if self._only_newest else list(map(self._upcast, decoded))

    def _upcast(self, old: ItemEvent) -> ItemEvent:
        event = _upcast(old.event, self._lifts[old.event.__class__])
        return ItemEvent(old.position, old.item_id, old.version, old.recorded_at, event)


def _check_names(types: Sequence[type[Any]], newest: frozenset[type[Any]]) -> None:
    families: dict[str, dict[int, type[Any]]] = {}
    for one in types:
        match = _NAME.fullmatch(name) if isinstance(name := getattr(one, "type", None), str) else None
        if match is None:
            raise EventTypesError(f"the type of {one.__name__} is {name!r}; use a name like 'item.created.v1'")
        versions = families.setdefault(match[1], {})
        if versions.setdefault(int(match[2]), one) is not one or types.count(one) > 1:
            raise EventTypesError(f"{name!r} is registered twice")
    for family, versions in families.items():
        for version in range(1, max(versions)):
            if version not in versions or versions[version] in newest:
                raise EventTypesError(f"'{family}.v{version}' has no upcaster, and there is a v{max(versions)}")


def _lifts(
    one: type[Any], steps: Mapping[type[Any], Upcaster[Any, Any]], newest: frozenset[type[Any]]
) -> list[Callable[[Any], Any]]:
    """Return the functions that convert a type to its newest form, step by step."""
    path, lifts = [one], []
    while step := steps.get(path[-1]):
        if step.new in path:
            raise EventTypesError(f"the upcasters of {one.type!r} form a cycle")
        path.append(step.new)
        lifts.append(step.lift)
    if path[-1] not in newest:
        raise EventTypesError(f"the upcasters of {one.type!r} lead to {path[-1].__name__}, which is not a newest type")
    return lifts


def _reader(one: type[Any], lifts: Sequence[Callable[[Any], Any]]) -> Callable[[str], Any]:
    decode = msgspec.json.Decoder(one).decode
    return (lambda data: _upcast(decode(data), lifts)) if lifts else decode


def _upcast(event: Any, lifts: Sequence[Callable[[Any], Any]]) -> Any:
    for lift in lifts:
        event = lift(event)
    return event


def _tagged(one: type[Any]) -> type[ItemEvent]:
    """Return the Struct that events of one type are decoded by in bulk: an array that begins with the type."""
    options: dict[str, Any] = {"array_like": True, "tag_field": "type", "tag": one.type, "forbid_unknown_fields": True}
    tagged: Any = msgspec.defstruct(
        f"{one.__name__}ItemEvent", [("event", one)], bases=(ItemEvent,), frozen=True, gc=False, **options
    )
    return tagged  # type: ignore[no-any-return]


#: One for each type that is read but no longer written.
UPCASTERS: tuple[Upcaster[Any, Any], ...] = ()

#: Looked up at every call of `encode` and `decode`, so that a test of future types can replace it.
CODEC = Codec(EVENT_TYPES, UPCASTERS)


def encode(event: Event) -> str:
    """Return the exact JSON text that is stored and hashed for `event`. Raises OldEventTypeError."""
    if event.__class__ not in CODEC.newest:
        raise OldEventTypeError(event.type)
    return _encoder.encode(event).decode()


def decode(position: int, type: str, data: str) -> Event:
    """Decode a stored event to its newest form. Nothing is skipped silently.

    Raises UnknownEventTypeError or CorruptEventError; both name the position.
    """
    reader = CODEC.readers.get(type)
    if reader is None:
        raise UnknownEventTypeError(position, type)
    try:
        return reader(data)
    except Exception as error:  # an upcaster may fail in any way
        raise CorruptEventError(position, type, str(error)) from error


def check(position: int, type: str, data: str) -> None:
    """Check that a stored text is JSON as the service writes it, and that its type decodes it.

    It is compared with the JSON of what it means and not with what `encode` makes of the event: a field that was added
    since has a default there. Raises CorruptEventError, and UnknownEventTypeError after the JSON was checked.
    """
    try:
        written = _encoder.encode(_decode_any(data))
    except (ValueError, RecursionError) as error:
        raise CorruptEventError(position, type, str(error)) from error
    if written != data.encode():
        raise CorruptEventError(position, type, "it is not JSON as the service writes it")
    decode(position, type, data)


#: The columns of `events` that the tree's leaf commits to, in this order.
LEAF = (
    "position",
    "item_id",
    "version",
    "type",
    "recorded_at",
    "actor",
    "credential",
    "command_id",
    "ordinal",
    "correlation_id",
    "causation_id",
    "fingerprint",
    "data",
)


def encode_leaf(values: Sequence[Any]) -> bytes:
    """Encode the values of the columns in LEAF as the bytes of a leaf.

    It is a JSON array in UTF-8 that any language can reproduce, as JavaScript's JSON.stringify writes it, with the
    fingerprint in hexadecimal and `data` as the stored string. Raises UnicodeEncodeError, and TypeError for a
    fingerprint that is not binary.
    """
    *others, fingerprint, data = values
    return _encoder.encode((*others, bytes.hex(fingerprint), data))
