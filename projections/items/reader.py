"""What clients ask about items, answered from their table alone, each with the log position that the answer is of."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Row as AnyRow
from sqlalchemy import Select, bindparam, select, true

from eventstore.database.batching import Batched
from eventstore.database.database import Database
from projections.items.items import ITEMS, ItemView, items
from projections.items.lists import (
    Filter,
    Order,
    Page,
    PageKey,
    bounds,
    in_order,
    key_of,
    place_of,
    range_of,
    residual_filter_of,
    residual_filters,
    within,
)
from projections.projection import checkpoints

#: Rows that one page looks at, at most, for those that its filters let through. A page that finds few among them is
#: short, and the next one goes on behind them.
SCAN = 10_000


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

    async def page(self, wanted: Filter, order: Order, after: PageKey | None, limit: int) -> Page:
        """Give at most `limit` items of a list, those behind `after`.

        Items that are created or deleted meanwhile move no other: whoever goes from page to page sees none twice, and
        all that were there throughout. A page costs the same wherever it begins.
        """
        start, end = range_of(wanted, order, after)
        residual_filter = residual_filter_of(wanted, order)
        looked_at: PageKey | None = None
        if residual_filter:
            # Found before the page and not with it: all up to there is looked at, whatever happens in between.
            last = await self._database.read(_scan_end(order, start is not None, end is not None), bounds(start, end))
            looked_at = place_of(order, last[0]) if last else None
            end = looked_at or end
        # One more than asked for tells whether there is a next page.
        parameters = {**bounds(start, end), **residual_filter, "limit": limit + 1}
        rows = await self._database.read(
            _page(order, start is not None, end is not None, frozenset(residual_filter)), parameters
        )
        found = list(map(_view, filter(_found, rows)))
        more = place_of(order, found[limit - 1]) if len(found) > limit else looked_at
        return Page(rows[0].position, found[:limit], more)

    async def _load(self, item_ids: Sequence[int]) -> Mapping[int, tuple[int, ItemView | None]]:
        rows = await self._database.read(_BY_ID, {"ids": item_ids})
        views = {row.id: _view(row) for row in rows if _found(row)}
        return {item_id: (rows[0].position, views.get(item_id)) for item_id in item_ids}

    async def _load_position(self, keys: Sequence[None]) -> Mapping[None, int]:
        return dict.fromkeys(keys, (await self._database.read(_POSITION))[0].position)


@lru_cache
def _scan_end(order: Order, start: bool, end: bool) -> Select[Any]:
    """Give the query for the last row that a page may look at; it finds none where the list ends before."""
    rows = select(*(items.c[name] for name in key_of(order))).where(within(items.c, order, start=start, end=end))
    return rows.order_by(*in_order(items.c, order)).offset(SCAN - 1).limit(1)


@lru_cache(512)
def _page(order: Order, start: bool, end: bool, residual_filter: frozenset[str]) -> Select[Any]:
    some = (
        select(*_COLUMNS)
        .where(within(items.c, order, start=start, end=end), *residual_filters(items.c, residual_filter))
        .order_by(*in_order(items.c, order))
        .limit(bindparam("limit"))
        .subquery()
    )
    return (
        select(checkpoints.c.position, *some.c)
        .select_from(checkpoints.outerjoin(some, true()))
        .where(_HERE)
        .order_by(*in_order(some.c, order))
    )


def _found(row: AnyRow[Any]) -> bool:
    return row.id is not None


def _view(row: AnyRow[Any]) -> ItemView:
    return ItemView(row.id, row.name, row.price, row.in_stock, row.version)
