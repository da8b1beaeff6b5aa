"""Lists of items as they were at a position: what `items` still has of them, and what `item_versions` has kept."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct
from sqlalchemy import BindParameter, Row, Select, Subquery, and_, bindparam, select, true, union_all

from eventstore.database.database import Database
from eventstore.database.functions import no_index
from eventstore.database.parameters import lateral_lookup, numbers, unnest_ids
from eventstore.log.history import position_of
from eventstore.log.tables import BigInt
from projections.items.intervals import nodes_above
from projections.items.item_versions import ITEM_VERSIONS, item_versions
from projections.items.items import ItemView, items
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
from projections.projection_status import read_if_current

#: Rows of `items`, and of each node of `item_versions`, that a page looks at, at most, for those that were there and
#: that its filters let through. A page that finds few among them is short, and the next one goes on behind them.
SCAN = 4_000

_NAMES = ItemView.__struct_fields__


_POSITION = bindparam("position", type_=BigInt)


class _Shape(Struct, frozen=True):
    """What a query is made for."""

    dialect: str
    order: Order
    #: Whether it has a place to begin behind, and one to end at.
    start: bool
    end: bool
    residual_filter: frozenset[str] = frozenset()


class PastItemReader:
    """Answers what lists of items were. All raise UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, position: int, wanted: Filter, order: Order, after: PageKey | None, limit: int) -> Page | None:
        """Give at most `limit` items of a list, those behind `after`, as `items` had them at `position` of the log.

        None where `item_versions` is not there yet, or is too old to tell. What all pages of a list cost together has
        to do with how many items there are; with how many events, or how far back the position is, next to nothing.
        """
        start, end = _there(position, order, *range_of(wanted, order, after))
        residual_filter = residual_filter_of(wanted, order)
        asked = {
            "position": position,
            "nodes": numbers(self._database.reader, nodes_above(position)),
            **residual_filter,
        }
        found: list[ItemView] = []
        stop: PageKey | None = None
        # Few places are enough for most pages. Read one after the other they are of one moment: the past stays.
        for look in (2 * limit, SCAN):
            shape = _Shape(self._database.reader.dialect.name, order, start is not None, end is not None)
            places = await self._read(_look(shape), {**asked, **bounds(start, end), "skip": look - 1})
            if places is None:
                return None
            stop = place_of(order, places[0]) if places else None
            shape = _Shape(shape.dialect, order, shape.start, bool(stop or end), frozenset(residual_filter))
            asked["limit"] = limit + 1 - len(found)  # one more than asked for tells whether there is a next page
            rows = await self._read(_page(shape), {**asked, **bounds(start, stop or end)})
            if rows is None:
                return None
            found += (ItemView(*(getattr(row, name) for name in _NAMES)) for row in rows)
            if len(found) > limit or stop is None:
                break
            start = stop
        return Page(position, found[:limit], place_of(order, found[limit - 1]) if len(found) > limit else stop)

    async def _read(self, statement: Select[Any], parameters: Mapping[str, object]) -> list[Row[Any]] | None:
        rows = await read_if_current(self._database, ITEM_VERSIONS, statement, parameters)
        return None if rows is None else [row for row in rows if row.id is not None]


def _there(
    position: int, order: Order, start: PageKey | None, end: PageKey | None
) -> tuple[PageKey | None, PageKey | None]:
    """Leave out what began later, where the order tells: an item's id is the position of the event that began it."""
    if order.by != "id":
        return start, end
    if not order.descending:
        return start, PageKey(None, position)
    latest = PageKey(None, position + 1)
    return (latest if start is None or start.id > latest.id else start), end


@lru_cache(256)
def _look(shape: _Shape) -> Select[Any]:
    """Give the query for the last place that a page may look up to; it finds none where it may look at all."""
    order, names = shape.order, key_of(shape.order)
    live = (
        select(*(items.c[name] for name in names))
        .where(within(items.c, order, start=shape.start, end=shape.end))
        .order_by(*in_order(items.c, order))
        .offset(bindparam("skip"))
        .limit(1)
        .subquery()
    )
    nodes, inner = unnest_ids(shape.dialect, "nodes"), item_versions.alias()
    of_node = (
        select(inner.c.ended)
        .where(inner.c.node == nodes.c.value, within(inner.c, order, start=shape.start, end=shape.end))
        .order_by(*in_order(inner.c, order))
        .offset(bindparam("skip"))
        .limit(1)
        .correlate(nodes)
        .scalar_subquery()
    )
    found, on_found = lateral_lookup(shape.dialect, item_versions, item_versions.c.ended == of_node)
    former = select(*(found.c[name] for name in names)).select_from(nodes.join(found, on_found))
    return _first(union_all(select(live), former).subquery(), order, 1)


@lru_cache(512)
def _page(shape: _Shape) -> Select[Any]:
    order = shape.order
    live = (
        select(*(items.c[name] for name in _NAMES))
        .where(
            within(items.c, order, start=shape.start, end=shape.end),
            no_index(items.c.id) <= _POSITION,
            position_of(items.c.id, items.c.version) <= _POSITION,
            *residual_filters(items.c, shape.residual_filter),
        )
        .order_by(*in_order(items.c, order))
        .limit(bindparam("limit"))
        .subquery()
    )
    nodes = unnest_ids(shape.dialect, "nodes")
    of_node = and_(
        item_versions.c.node == nodes.c.value,
        within(item_versions.c, order, start=shape.start, end=shape.end),
        item_versions.c.began <= _POSITION,
        no_index(item_versions.c.ended) > _POSITION,
        *residual_filters(item_versions.c, shape.residual_filter),
    )
    found, on_found = lateral_lookup(shape.dialect, item_versions, of_node)
    former = select(*(found.c[name] for name in _NAMES)).select_from(nodes.join(found, on_found))
    return _first(union_all(select(live), former).subquery(), order, bindparam("limit"))


def _first(rows: Subquery, order: Order, limit: int | BindParameter[int]) -> Select[Any]:
    """Give the query for the first of `rows`, and a row without any where the projection is there and they are not."""
    first = select(rows).order_by(*in_order(rows.c, order)).limit(limit).subquery()
    return (
        select(first)
        .select_from(checkpoints.outerjoin(first, true()))
        .where(checkpoints.c.name == ITEM_VERSIONS.name)
        .order_by(*in_order(first.c, order))
    )
