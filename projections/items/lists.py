"""What a list of items is: a filter, an order, places in it, and the SQL that these are on any table of items."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnCollection, ColumnElement, Text, and_, bindparam, true, tuple_

from eventstore.database.functions import contains, no_index
from projections.items.items import ItemView, fold_name

LAST_ID = 2**63 - 1

#: A table's columns, or a query's, by the names that those of `items` have.
Columns = ColumnCollection[str, Any]


class Order(Struct, frozen=True):
    """By what a list is sorted; items that are alike in that by id, in the same direction."""

    by: Literal["id", "name", "price"] = "id"
    descending: bool = False


class Filter(Struct, frozen=True):
    """Which items a list has: those that all of these let through."""

    in_stock: bool | None = None
    #: In ten-thousandths, both included.
    min_price: int | None = None
    max_price: int | None = None
    #: A part of the name, in upper or lower case.
    name: str | None = None


class PageKey(Struct, frozen=True):
    """A place in an order: that of the item `id`, whose name or price is `key`; None in the order of ids."""

    key: str | int | None
    id: int


class Page(Struct, frozen=True):
    """A part of a list."""

    #: The log position that it is of.
    position: int
    items: Sequence[ItemView]
    #: Behind what the next page begins, None where this one is the last. It may be there though `items` are few.
    next: PageKey | None


def range_of(wanted: Filter, order: Order, after: PageKey | None) -> tuple[PageKey | None, PageKey | None]:
    """Give the places between which a list's items are, the first excluded and the last included, as far as known."""
    start, end = after, None
    if order.by == "price":
        low = None if wanted.min_price is None else PageKey(wanted.min_price, 0)
        high = None if wanted.max_price is None else PageKey(wanted.max_price, LAST_ID)
        first, end = (high, low) if order.descending else (low, high)
        if after is None or (first is not None and _before(after, first, order)):
            start = first
    return start, end


def place_of(order: Order, row: Any) -> PageKey:
    """Give where in the order a row, or an item, is."""
    return PageKey(None if order.by == "id" else getattr(row, order.by), row.id)


def _before(one: PageKey, other: PageKey, order: Order) -> bool:
    keys = [(place.key, place.id) for place in (one, other)]
    return bool(keys[0] > keys[1]) if order.descending else bool(keys[0] < keys[1])


def bounds(start: PageKey | None, end: PageKey | None) -> dict[str, Any]:
    """Give the parameters of the conditions that `within` gives for these places."""
    places = {name: place for name, place in (("start", start), ("end", end)) if place is not None}
    return {f"{name}_{half}": getattr(place, half) for name, place in places.items() for half in ("key", "id")}


def residual_filter_of(wanted: Filter, order: Order) -> dict[str, Any]:
    """Give the filters that no place in the order stands for, so that rows must be looked at one by one."""
    residual_filter: dict[str, Any] = {"in_stock": wanted.in_stock}
    if order.by != "price":
        residual_filter |= {"min_price": wanted.min_price, "max_price": wanted.max_price}
    if wanted.name is not None:
        residual_filter["name"] = fold_name(wanted.name)
    return {name: value for name, value in residual_filter.items() if value is not None}


def residual_filters(columns: Columns, names: Iterable[str]) -> list[ColumnElement[bool]]:
    """Give the conditions for the filters of those names, as `residual_filter_of` calls them and their parameters."""
    conditions: dict[str, ColumnElement[bool]] = {
        "in_stock": columns["in_stock"] == bindparam("in_stock"),
        # A page follows the index of its order: not the one by price, whose rows it would have to read and sort first.
        "min_price": no_index(columns["price"]) >= bindparam("min_price"),
        "max_price": no_index(columns["price"]) <= bindparam("max_price"),
        "name": contains(columns["name_folded"], bindparam("name", type_=Text)),
    }
    return [conditions[name] for name in sorted(names)]


def key_of(order: Order) -> list[str]:
    """Give the columns that a place in the order is made of."""
    return ["id"] if order.by == "id" else [order.by, "id"]


def within(columns: Columns, order: Order, *, start: bool, end: bool) -> ColumnElement[bool]:
    """Give the condition for rows behind the place `start`, up to the place `end`, as far as there are such places."""
    names = key_of(order)
    place = tuple_(*(columns[name] for name in names))
    places = {
        bound: tuple_(*(bindparam(f"{bound}_{'id' if n == 'id' else 'key'}", type_=columns[n].type) for n in names))
        for bound in ("start", "end")
    }
    conditions: list[ColumnElement[bool]] = [true()]
    if start:
        conditions.append(place < places["start"] if order.descending else place > places["start"])
    if end:
        conditions.append(place >= places["end"] if order.descending else place <= places["end"])
    return and_(*conditions)


def in_order(columns: Columns, order: Order) -> list[ColumnElement[Any]]:
    """Give what rows are sorted by."""
    return [columns[name].desc() if order.descending else columns[name].asc() for name in key_of(order)]
