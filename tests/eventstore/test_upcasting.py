"""Old types are read as the newest, and inconsistent types are refused before anything is read."""

import re
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from msgspec import Struct, defstruct

from eventstore import codec
from eventstore.codec import Codec, Upcaster
from eventstore.errors import CorruptEventError, EventTypesError, OldEventTypeError
from eventstore.events import ItemCreated, ItemDeleted
from tests.support.evolved import EVOLVED, using

PEN = ItemCreated("Pen", Decimal("1.50"), True)


class Named(Struct, frozen=True):
    type: ClassVar[str] = "pen.made.v1"
    name: str


class Coloured(Struct, frozen=True):
    type: ClassVar[str] = "pen.made.v2"
    name: str
    colour: str


class Made(Struct, frozen=True):
    type: ClassVar[str] = "pen.made.v3"
    name: str
    colours: tuple[str, ...]


class Built(Struct, frozen=True):
    """The same fields as `Named` under another name."""

    type: ClassVar[str] = "pen.built.v1"
    name: str


def named(name: object) -> type[Any]:
    return defstruct("Sold", [], namespace={"type": name, "__annotations__": {"type": ClassVar[str]}})


TO_COLOURED = Upcaster(Named, Coloured, lambda old: Coloured(old.name, "black"))
TO_MADE = Upcaster(Coloured, Made, lambda old: Made(old.name, (old.colour,)))
TO_NAMED = Upcaster(Built, Named, lambda old: Named(old.name))


def read(name: str, data: str) -> Any:
    """Decode an event of a type outside `Event`."""
    return codec.decode(4711, name, data)


def test_an_old_type_is_upcast_step_by_step_to_the_newest() -> None:
    with using(Codec([ItemDeleted, Made], [TO_MADE, TO_NAMED, TO_COLOURED])):
        assert read("pen.built.v1", '{"name":"Pen"}') == Made("Pen", ("black",))
        assert read("pen.made.v1", '{"name":"Pen"}') == Made("Pen", ("black",))
        assert read("pen.made.v2", '{"name":"Pen","colour":"red"}') == Made("Pen", ("red",))
        assert read("pen.made.v3", '{"name":"Pen","colours":["red","blue"]}') == Made("Pen", ("red", "blue"))
        assert read("item.deleted.v1", "{}") == ItemDeleted()


def test_only_the_newest_types_are_written() -> None:
    with using(EVOLVED):
        with pytest.raises(OldEventTypeError, match=re.escape("'item.created.v1'")):
            codec.encode(PEN)
        assert codec.encode(ItemDeleted()) == "{}"
    assert codec.encode(PEN) == '{"name":"Pen","price":"1.50","in_stock":true}'


def test_an_upcaster_that_fails_stops_with_the_position() -> None:
    failing = Upcaster(Named, Coloured, lambda old: {"Pen": Coloured(old.name, "black")}[old.name])
    with using(Codec([Coloured], [failing])):
        assert read("pen.made.v1", '{"name":"Pen"}') == Coloured("Pen", "black")
        with pytest.raises(CorruptEventError, match=r"Event 4711 of type 'pen\.made\.v1' cannot be decoded: 'Ink'"):
            read("pen.made.v1", '{"name":"Ink"}')


@pytest.mark.parametrize(
    ("newest", "upcasters", "reason"),
    [
        ([Coloured], [], "'pen.made.v1' has no upcaster, and there is a v2"),
        ([Made], [TO_MADE], "'pen.made.v1' has no upcaster, and there is a v3"),
        ([Named, Coloured], [], "'pen.made.v1' has no upcaster, and there is a v2"),
        ([Named], [Upcaster(Coloured, Named, lambda old: Named(old.name))], "'pen.made.v1' has no upcaster"),
        ([Named, Named], [], "'pen.made.v1' is registered twice"),
        ([Named, named("pen.made.v1")], [], "'pen.made.v1' is registered twice"),
        ([Named, Coloured], [TO_COLOURED], "'pen.made.v1' is registered twice"),
        ([Coloured], [TO_COLOURED, TO_COLOURED], "'pen.made.v1' is registered twice"),
        ([ItemDeleted], [TO_COLOURED, Upcaster(Coloured, Named, lambda old: Named(""))], "form a cycle"),
        ([ItemDeleted], [Upcaster(Named, Named, lambda old: old)], "form a cycle"),
        ([ItemDeleted], [TO_COLOURED], "'pen.made.v1' lead to Coloured, which is not a newest type"),
    ],
)
def test_inconsistent_event_types_are_refused(
    newest: list[type[Any]], upcasters: list[Upcaster[Any, Any]], reason: str
) -> None:
    with pytest.raises(EventTypesError, match=re.escape(reason)):
        Codec(newest, upcasters)


WRONG_NAMES = [
    "Sold",
    "sold",
    "sold.v1",
    "pen.sold",
    "pen.sold.v0",
    "pen.sold.v01",
    "pen.sold.2",
    "pen.Sold.v1",
    "pen..sold.v1",
]


@pytest.mark.parametrize("name", [*WRONG_NAMES, ".v1", "pen.sold.v1\n", " pen.sold.v1", "", None, 1])
def test_a_malformed_type_name_is_refused(name: object) -> None:
    with pytest.raises(EventTypesError, match=re.escape(f"the type of Sold is {name!r}")):
        Codec([named(name)], [])
    assert Codec([named("pen.sold_off.v1")], []).readers.keys() == {"pen.sold_off.v1"}


def test_a_type_without_a_name_is_refused() -> None:
    with pytest.raises(EventTypesError, match="the type of Sold is None"):
        Codec([defstruct("Sold", [])], [])
