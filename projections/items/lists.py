"""Lists of items: filter, order and page keys, and their SQL on any table with the columns of `items`."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnCollection, ColumnElement, Select, Text, bindparam, select, tuple_

from eventstore.database.functions import contains, no_index
from projections.items.items import ItemView, fold_name

LAST_ID = 2**63 - 1

#: The columns of a table or query, by the names that those of `items` have.
Columns = ColumnCollection[str, Any]


class Order(Struct, frozen=True):
    """The order of a list. Items with an equal name or price are sorted by id, in the same direction."""

    by: Literal["id", "name", "price"] = "id"
    descending: bool = False

    @property
    def columns(self) -> list[str]:
        """The names of the columns that a list is sorted by."""
        return ["id"] if self.by == "id" else [self.by, "id"]

    def sorting(self, columns: Columns) -> list[ColumnElement[Any]]:
        """Return the ORDER BY expressions."""
        return [columns[name].desc() if self.descending else columns[name].asc() for name in self.columns]

    def key_of(self, row: Any) -> "PageKey":
        """Return the page key of a row, or of an item."""
        return PageKey(None if self.by == "id" else getattr(row, self.by), row.id)

    def is_before(self, one: "PageKey", other: "PageKey") -> bool:
        """Return whether `one` comes before `other`."""
        first, second = (one.key, one.id), (other.key, other.id)
        return bool(first > second) if self.descending else bool(first < second)


class Filter(Struct, frozen=True):
    """A list's filter: it has the items that match all of these."""

    in_stock: bool | None = None
    #: In ten-thousandths, both included.
    min_price: int | None = None
    max_price: int | None = None
    #: A part of the name, in upper or lower case.
    name: str | None = None


class PageKey(Struct, frozen=True):
    """A position in an order: that of the item `id`, whose name or price is `key`; None in the order of ids."""

    key: str | int | None
    id: int


class Page(Struct, frozen=True):
    """A page of a list."""

    #: The log position of the page.
    position: int
    items: Sequence[ItemView]
    #: The key that the next page begins behind, None on the last page. There may be a next page though `items` are few.
    next: PageKey | None


class Shape(Struct, frozen=True):
    """What the SQL of a list depends on, as a key for caches of statements."""

    order: Order
    #: Whether the list begins behind a key, and ends at one.
    start: bool
    end: bool
    #: The names of the filters that rows must be tested for, one by one.
    residual_filters: frozenset[str] = frozenset()

    def rows(self, columns: Columns, names: Iterable[str], *conditions: ColumnElement[bool]) -> Select[Any]:
        """Build the query for the list's rows in order; its parameters are those of `ListPlan`."""
        rows = select(*(columns[name] for name in names)).where(*self.where(columns), *conditions)
        return rows.order_by(*self.order.sorting(columns))

    def where(self, columns: Columns) -> list[ColumnElement[bool]]:
        """Return the conditions for the list's rows."""
        names, descending = self.order.columns, self.order.descending
        key = tuple_(*(columns[name] for name in names))
        start, end = (
            tuple_(*(bindparam(f"{bound}_{'id' if n == 'id' else 'key'}", type_=columns[n].type) for n in names))
            for bound in ("start", "end")
        )
        tests: dict[str, ColumnElement[bool]] = {
            "in_stock": columns["in_stock"] == bindparam("in_stock"),
            # A page follows the index of its order, not the one by price, whose rows would have to be sorted first.
            "min_price": no_index(columns["price"]) >= bindparam("min_price"),
            "max_price": no_index(columns["price"]) <= bindparam("max_price"),
            "name": contains(columns["name_folded"], bindparam("name", type_=Text)),
        }
        conditions = [tests[name] for name in sorted(self.residual_filters)]
        if self.end:
            conditions.insert(0, key >= end if descending else key <= end)
        if self.start:
            conditions.insert(0, key < start if descending else key > start)
        return conditions


class ListPlan(Struct, frozen=True):
    """How a list is read: a range of its order, and the filters that the range does not cover."""

    order: Order
    #: The keys that the list begins behind, and ends with, where known.
    start: PageKey | None
    end: PageKey | None
    residual_filters: dict[str, Any]

    @classmethod
    def of(cls, wanted: Filter, order: Order, after: PageKey | None) -> "ListPlan":
        """Plan the part of a list behind the key `after`."""
        filters: dict[str, Any] = {"in_stock": wanted.in_stock, "name": wanted.name and fold_name(wanted.name)}
        start, end = after, None
        if order.by == "price":
            low = None if wanted.min_price is None else PageKey(wanted.min_price, 0)
            high = None if wanted.max_price is None else PageKey(wanted.max_price, LAST_ID)
            first, end = (high, low) if order.descending else (low, high)
            if after is None or (first is not None and order.is_before(after, first)):
                start = first
        else:
            filters |= {"min_price": wanted.min_price, "max_price": wanted.max_price}
        return cls(order, start, end, {name: value for name, value in filters.items() if value is not None})

    def up_to(self, end: PageKey | None) -> "ListPlan":
        """Return the plan of the part up to the key `end`, all of it where there is none."""
        return replace(self, end=end or self.end)

    def shape(self, *, filtered: bool = True) -> Shape:
        """Return the shape of its SQL; without filters, of every row of the range."""
        filters = frozenset(self.residual_filters if filtered else ())
        return Shape(self.order, self.start is not None, self.end is not None, filters)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of its SQL."""
        keys = {"start": self.start, "end": self.end}
        bounds = {f"{name}_{part}": getattr(key, part) for name, key in keys.items() if key for part in ("key", "id")}
        return bounds | self.residual_filters
