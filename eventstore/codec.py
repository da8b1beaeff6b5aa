"""Event <-> (type, exact bytes), and the bytes that the tree hashes.

Events are stored as the JSON text msgspec writes, so that they can be read in twenty years with no code of ours. What
is stored never changes: an event of an old type is lifted to its newest form by `UPCASTERS` while it is read.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, Union

import msgspec
from msgspec import Struct

from eventstore.errors import CorruptEventError, EventTypesError, OldEventTypeError, UnknownEventTypeError
from eventstore.events import EVENT_TYPES, Event, ItemEvent, ProposedEvent

Old = TypeVar("Old")
New = TypeVar("New")

_NAME = re.compile(r"([a-z_]+(?:\.[a-z_]+)+)\.v([1-9][0-9]*)")
_encoder = msgspec.json.Encoder()


class Upcaster(Struct, Generic[Old, New], frozen=True):
    """How an event of an old type is told as one of a newer type, next on the way to the newest."""

    old: type[Old]
    new: type[New]
    #: Pure, and for every event of the old type: it runs whenever one is read.
    lift: Callable[[Old], New]


class Codec:
    """Which types of events can be read, and which are written: the newest. Checked when it is made."""

    def __init__(self, newest: Sequence[type[Any]], upcasters: Sequence[Upcaster[Any, Any]]) -> None:
        """Know the `newest` types and the old types of `upcasters`, each of which leads, in steps, to one of them.

        Raises EventTypesError where a name is malformed or known twice, where a version below one that is known has no
        upcaster, and where upcasters lead in a circle or to a type that is not of the newest.
        """
        self.newest = frozenset(newest)
        steps = {upcaster.old: upcaster for upcaster in upcasters}
        known = [*newest, *(upcaster.old for upcaster in upcasters)]
        _check_names(known, self.newest)
        self._lifts = {one: _lifts(one, steps, self.newest) for one in known}
        #: By the stored name of a type: what makes its newest form of the text of an event.
        self.readers: Mapping[str, Callable[[str], Event]] = {
            one.type: _reader(one, lifts) for one, lifts in self._lifts.items()
        }
        self._facts = msgspec.json.Decoder(list[Union[tuple(map(_fact, known))]])  # type: ignore[misc]  # noqa: UP007
        self._only_newest = not upcasters

    def facts(self, text: str) -> list[ItemEvent]:
        """Read a JSON array of facts, each `[type, position, item_id, version, recorded_at, data]`.

        Raises msgspec.DecodeError, and what an upcaster raises: where, `readers` tell.
        """
        found = self._facts.decode(text)
        return found if self._only_newest else list(map(self._lifted, found))

    def _lifted(self, fact: ItemEvent) -> ItemEvent:
        event: Any = fact.event
        for lift in self._lifts[event.__class__]:
            event = lift(event)
        return ItemEvent(fact.position, fact.item_id, fact.version, fact.recorded_at, event)


def _check_names(known: Sequence[type[Any]], newest: frozenset[type[Any]]) -> None:
    families: dict[str, dict[int, type[Any]]] = {}
    for one in known:
        match = _NAME.fullmatch(name) if isinstance(name := getattr(one, "type", None), str) else None
        if match is None:
            raise EventTypesError(f"the type of {one.__name__} is {name!r}, and not like 'item.created.v1'")
        versions = families.setdefault(match[1], {})
        if versions.setdefault(int(match[2]), one) is not one or known.count(one) > 1:
            raise EventTypesError(f"{name!r} is known twice")
    for family, versions in families.items():
        for version in range(1, max(versions)):
            if version not in versions or versions[version] in newest:
                raise EventTypesError(f"'{family}.v{version}' has no upcaster, and there is a v{max(versions)}")


def _lifts(
    one: type[Any], steps: Mapping[type[Any], Upcaster[Any, Any]], newest: frozenset[type[Any]]
) -> list[Callable[[Any], Any]]:
    """Give what lifts a type to its newest form, step by step."""
    way, lifts = [one], []
    while step := steps.get(way[-1]):
        if step.new in way:
            raise EventTypesError(f"the upcasters of {one.type!r} lead in a circle")
        way.append(step.new)
        lifts.append(step.lift)
    if way[-1] not in newest:
        raise EventTypesError(f"the upcasters of {one.type!r} lead to {way[-1].__name__}, which is not of the newest")
    return lifts


def _reader(one: type[Any], lifts: Sequence[Callable[[Any], Any]]) -> Callable[[str], Any]:
    decode = msgspec.json.Decoder(one).decode
    if not lifts:
        return decode

    def read(data: str) -> Any:
        event = decode(data)
        for lift in lifts:
            event = lift(event)
        return event

    return read


def _fact(one: type[Any]) -> type[ItemEvent]:
    """Make the form in which facts of one type are read: an array, which begins with the type."""
    options: dict[str, Any] = {"array_like": True, "tag_field": "type", "tag": one.type, "forbid_unknown_fields": True}
    made: Any = msgspec.defstruct(
        f"{one.__name__}ItemEvent", [("event", one)], bases=(ItemEvent,), frozen=True, gc=False, **options
    )
    return made  # type: ignore[no-any-return]


#: One for each type that is read but no more written.
UPCASTERS: tuple[Upcaster[Any, Any], ...] = ()

#: What `encode` and `decode` go by, whenever they are called: a test of types to come puts another here.
CODEC = Codec(EVENT_TYPES, UPCASTERS)


def encode(event: Event) -> str:
    """Give the exact JSON text that is stored and hashed for `event`. Raises OldEventTypeError."""
    if event.__class__ not in CODEC.newest:
        raise OldEventTypeError(event.type)
    return _encoder.encode(event).decode()


def decode(position: int, type: str, data: str) -> Event:
    """Read a stored event in its newest form.

    Raises UnknownEventTypeError or CorruptEventError, both naming the position: nothing is skipped silently.
    """
    reader = CODEC.readers.get(type)
    if reader is None:
        raise UnknownEventTypeError(position, type)
    try:
        return reader(data)
    except Exception as error:  # an upcaster may fail in any way
        raise CorruptEventError(position, type, str(error)) from error


def decode_item_events(text: str) -> list[ItemEvent]:
    """Read a JSON array of facts in their newest form; see Codec.facts."""
    return CODEC.facts(text)


#: What the tree's leaf commits to, in this order, by the names of the table's columns.
LEAF = (
    "position",
    "item_id",
    "version",
    "type",
    "recorded_at",
    "actor",
    "command_id",
    "ordinal",
    "correlation_id",
    "causation_id",
    "data",
)

#: Give the bytes of a leaf from a tuple of what LEAF names: a JSON array that any language can write again, in UTF-8
#: as JavaScript's JSON.stringify writes it, with `data` as the string it is stored as. Raises UnicodeEncodeError.
encode_leaf: Callable[[tuple[Any, ...]], bytes] = _encoder.encode


def leaf(position: int, recorded_at: int, proposed: ProposedEvent, data: str) -> bytes:
    """Give the bytes of the leaf of an event that is about to be stored as `data`; see `encode_leaf`."""
    metadata = proposed.metadata
    return encode_leaf(
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
