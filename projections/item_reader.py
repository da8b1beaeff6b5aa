"""What clients ask about items, answered from their table alone, each with the log position that the answer is of."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, Text, and_, bindparam, select, true, tuple_
from sqlalchemy import Row as AnyRow

from eventstore.database import Database
from eventstore.dialect import contains, unindexed
from projections.batching import Batched
from projections.items import ITEMS, ItemView, fold_name, items
from projections.projection import checkpoints

#: Rows that one page looks at, at most, for those that its filters let through. A page that finds few among them is
#: short, and the next one goes on behind them.
SCAN = 10_000

_LAST_ID = 2**63 - 1


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


class Place(Struct, frozen=True):
    """A place in an order: that of the item `id`, whose name or price is `key`; None in the order of ids."""

    key: str | int | None
    id: int


class Page(Struct, frozen=True):
    """A part of a list."""

    #: The log position that it is of.
    position: int
    items: Sequence[ItemView]
    #: Behind what the next page begins, None where this one is the last. It may be there though `items` are few.
    next: Place | None


# Each query answers with the position it was read at, from the same snapshot: a row of `projections` joined to what it
# found, so that there is a row even where nothing was found.
_COLUMNS = (items.c.id, items.c.name, items.c.price, items.c.in_stock, items.c.version)
_HERE = checkpoints.c.name == ITEMS.name
_POSITION: Select[Any] = select(checkpoints.c.position).where(_HERE)
_BY_ID: Select[Any] = (
    select(checkpoints.c.position, *_COLUMNS)
    .select_from(checkpoints.outerjoin(items, items.c.id.in_(bindparam("ids", expanding=True))))
    .where(_HERE)
)


class ItemReader:
    """Answers questions about items. All raise UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id = Batched(self._load)
        self._position = Batched(self._load_position)

    async def position(self) -> int:
        """Give the log position that the table is at."""
        return await self._position.get(None)

    async def get(self, item_id: int) -> tuple[int, ItemView | None]:
        """Give the position and the item, None where clients see none."""
        return await self._by_id.get(item_id)

    async def page(self, wanted: Filter, order: Order, after: Place | None, limit: int) -> Page:
        """Give at most `limit` items of a list, those behind `after`.

        Items that are created or deleted meanwhile move no other: whoever goes from page to page sees none twice, and
        all that were there throughout. A page costs the same wherever it begins.
        """
        start, end, parameters = _range(wanted, order, after)
        sieve = _sieve(wanted, order)
        looked_at: Place | None = None
        if sieve:
            # Found before the page and not with it: all up to there is looked at, whatever happens in between.
            last = await self._database.read(_scan_end(order, start is not None, end is not None), parameters)
            looked_at = _place(order, last[0]) if last else None
            end = looked_at or end
        # One more than asked for tells whether there is a next page.
        parameters |= {**_bounds("end", end), **sieve, "limit": limit + 1}
        rows = await self._database.read(_page(order, start is not None, end is not None, frozenset(sieve)), parameters)
        found = list(map(_view, filter(_found, rows)))
        more = _place(order, found[limit - 1]) if len(found) > limit else looked_at
        return Page(rows[0].position, found[:limit], more)

    async def _load(self, item_ids: Sequence[int]) -> Mapping[int, tuple[int, ItemView | None]]:
        rows = await self._database.read(_BY_ID, {"ids": item_ids})
        views = {row.id: _view(row) for row in rows if _found(row)}
        return {item_id: (rows[0].position, views.get(item_id)) for item_id in item_ids}

    async def _load_position(self, keys: Sequence[None]) -> Mapping[None, int]:
        return dict.fromkeys(keys, (await self._database.read(_POSITION))[0].position)


def _range(wanted: Filter, order: Order, after: Place | None) -> tuple[Place | None, Place | None, dict[str, Any]]:
    """Give the places between which a list's items are, the first excluded and the last included, as far as known."""
    start, end = after, None
    if order.by == "price":
        low = None if wanted.min_price is None else Place(wanted.min_price, 0)
        high = None if wanted.max_price is None else Place(wanted.max_price, _LAST_ID)
        first, end = (high, low) if order.descending else (low, high)
        if after is None or (first is not None and _before(after, first, order)):
            start = first
    return start, end, _bounds("start", start) | _bounds("end", end)


def _place(order: Order, row: Any) -> Place:
    return Place(None if order.by == "id" else getattr(row, order.by), row.id)


def _before(one: Place, other: Place, order: Order) -> bool:
    keys = [(place.key, place.id) for place in (one, other)]
    return bool(keys[0] > keys[1]) if order.descending else bool(keys[0] < keys[1])


def _bounds(name: str, place: Place | None) -> dict[str, Any]:
    return {} if place is None else {f"{name}_key": place.key, f"{name}_id": place.id}


def _sieve(wanted: Filter, order: Order) -> dict[str, Any]:
    """Give the filters that no place in the order stands for, so that rows must be looked at one by one."""
    sieve: dict[str, Any] = {"in_stock": wanted.in_stock}
    if order.by != "price":
        sieve |= {"min_price": wanted.min_price, "max_price": wanted.max_price}
    if wanted.name is not None:
        sieve["name"] = fold_name(wanted.name)
    return {name: value for name, value in sieve.items() if value is not None}


_SIEVES: Mapping[str, ColumnElement[bool]] = {
    "in_stock": items.c.in_stock == bindparam("in_stock"),
    # A page follows the index of its order: not the one by price, whose rows it would have to read and sort first.
    "min_price": unindexed(items.c.price) >= bindparam("min_price"),
    "max_price": unindexed(items.c.price) <= bindparam("max_price"),
    "name": contains(items.c.name_folded, bindparam("name", type_=Text)),
}


def _key(order: Order) -> list[str]:
    """Give the columns that a place in the order is made of."""
    return ["id"] if order.by == "id" else [order.by, "id"]


def _within(order: Order, *, start: bool, end: bool) -> ColumnElement[bool]:
    names = _key(order)
    place = tuple_(*(items.c[name] for name in names))
    bounds = {
        bound: tuple_(*(bindparam(f"{bound}_{'id' if n == 'id' else 'key'}", type_=items.c[n].type) for n in names))
        for bound in ("start", "end")
    }
    conditions: list[ColumnElement[bool]] = [true()]
    if start:
        conditions.append(place < bounds["start"] if order.descending else place > bounds["start"])
    if end:
        conditions.append(place >= bounds["end"] if order.descending else place <= bounds["end"])
    return and_(*conditions)


def _sorted(order: Order, columns: Any) -> list[ColumnElement[Any]]:
    return [columns[name].desc() if order.descending else columns[name].asc() for name in _key(order)]


@lru_cache
def _scan_end(order: Order, start: bool, end: bool) -> Select[Any]:
    """Give the query for the last row that a page may look at; it finds none where the list ends before."""
    rows = select(*(items.c[name] for name in _key(order))).where(_within(order, start=start, end=end))
    return rows.order_by(*_sorted(order, items.c)).offset(SCAN - 1).limit(1)


@lru_cache(512)
def _page(order: Order, start: bool, end: bool, sieve: frozenset[str]) -> Select[Any]:
    sieves = (_SIEVES[name] for name in sorted(sieve))
    some = (
        select(*_COLUMNS)
        .where(_within(order, start=start, end=end), *sieves)
        .order_by(*_sorted(order, items.c))
        .limit(bindparam("limit"))
        .subquery()
    )
    return (
        select(checkpoints.c.position, *some.c)
        .select_from(checkpoints.outerjoin(some, true()))
        .where(_HERE)
        .order_by(*_sorted(order, some.c))
    )


def _found(row: AnyRow[Any]) -> bool:
    return row.id is not None


def _view(row: AnyRow[Any]) -> ItemView:
    return ItemView(row.id, row.name, row.price, row.in_stock, row.version)
