"""Reads lists of items as of a position: their rows in `items` that are that old, and their rows in `item_versions`."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec.structs import replace
from sqlalchemy import BindParameter, Row, Select, Subquery, and_, bindparam, select, union_all

from eventstore.database.database import Database
from eventstore.database.functions import no_index
from eventstore.database.parameters import lateral_lookup, numbers, unnest_ids
from eventstore.log.history import position_of
from eventstore.log.tables import BigInt
from projections.items.intervals import nodes_above
from projections.items.item_versions import ITEM_VERSIONS, item_versions
from projections.items.items import ITEMS, ItemView, items
from projections.items.lists import Filter, ListPlan, Order, Page, PageKey, Shape
from projections.projection_status import read_tables, with_position

#: The most rows of `items`, and of each node of `item_versions`, that a page tests with its position and filters. If
#: few match, the page is short, and the next page continues behind them.
SCAN_ROWS = 4_000

_NAMES = ItemView.__struct_fields__
_POSITION = bindparam("position", type_=BigInt)


class PastItemReader:
    """Reads lists of items as of a position. Raises ProjectionNotReadyError and UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, position: int, wanted: Filter, order: Order, after: PageKey | None, limit: int) -> Page:
        """Return at most `limit` items of a list, those behind `after`, as `items` had them at `position` of the log.

        The cost of all pages of a list depends on the number of items; on the number of events, and on how far back the
        position is, hardly at all.
        """
        plan = _existing_at(position, ListPlan.of(wanted, order, after))
        of_position = {"position": position, "nodes": numbers(self._database.reader, nodes_above(position))}
        dialect, views = self._database.reader.dialect.name, list[ItemView]()
        scanned: PageKey | None = None
        # A few rows are enough for most pages. The past does not change, so the queries are all of one moment.
        for scan in (2 * limit, SCAN_ROWS):
            parameters = {**of_position, **plan.parameters, "skip": scan - 1}
            last = await self._read(_scan_end(dialect, plan.shape(filtered=False)), parameters)
            scanned = order.key_of(last[0]) if last else None
            part = plan.up_to(scanned)
            # One more row than requested shows whether there is a next page.
            parameters = {**of_position, **part.parameters, "limit": limit + 1 - len(views)}
            rows = await self._read(_page(dialect, part.shape()), parameters)
            views += (ItemView(*tuple(row)[1:]) for row in rows)
            if len(views) > limit or scanned is None:
                break
            plan = replace(plan, start=scanned)
        return Page(position, views[:limit], order.key_of(views[limit - 1]) if len(views) > limit else scanned)

    async def _read(self, statement: Select[Any], parameters: Mapping[str, object]) -> list[Row[Any]]:
        tables = (ITEM_VERSIONS, ITEMS)
        rows = await read_tables(self._database, tables, lambda: self._database.read(statement, parameters))
        return [row for row in rows if row.id is not None]


def _existing_at(position: int, plan: ListPlan) -> ListPlan:
    """Leave out later items where the order shows them: an item's id is the position of the event that created it."""
    if plan.order.by != "id":
        return plan
    if not plan.order.descending:
        return plan.up_to(PageKey(None, position))
    latest = PageKey(None, position + 1)
    return replace(plan, start=latest) if plan.start is None or plan.start.id > latest.id else plan


@lru_cache(256)
def _scan_end(dialect: str, shape: Shape) -> Select[Any]:
    """Build the query for the last row that a page may test; it finds none where the list ends before."""
    names = shape.order.columns
    live = shape.rows(items.c, names).offset(bindparam("skip")).limit(1).subquery()
    nodes, inner = unnest_ids(dialect, "nodes"), item_versions.alias()
    of_node = shape.rows(inner.c, ["valid_to"], inner.c.node == nodes.c.value).offset(bindparam("skip")).limit(1)
    is_last = item_versions.c.valid_to == of_node.correlate(nodes).scalar_subquery()
    found, on_found = lateral_lookup(dialect, item_versions, is_last, names)
    past = select(*(found.c[name] for name in names)).select_from(nodes.join(found, on_found))
    return _first(union_all(select(live), past).subquery(), shape.order, 1)


@lru_cache(512)
def _page(dialect: str, shape: Shape) -> Select[Any]:
    is_old = (no_index(items.c.id) <= _POSITION, position_of(items.c.id, items.c.version) <= _POSITION)
    live = shape.rows(items.c, _NAMES, *is_old).limit(bindparam("limit")).subquery()
    nodes = unnest_ids(dialect, "nodes")
    of_node = and_(
        item_versions.c.node == nodes.c.value,
        item_versions.c.valid_from <= _POSITION,
        no_index(item_versions.c.valid_to) > _POSITION,
        *shape.where(item_versions.c),
    )
    found, on_found = lateral_lookup(dialect, item_versions, of_node, _NAMES)
    past = select(*(found.c[name] for name in _NAMES)).select_from(nodes.join(found, on_found))
    return _first(union_all(select(live), past).subquery(), shape.order, bindparam("limit"))


def _first(rows: Subquery, order: Order, limit: int | BindParameter[int]) -> Select[Any]:
    first = select(rows).order_by(*order.sorting(rows.c)).limit(limit).subquery()
    return with_position(ITEM_VERSIONS, first).order_by(*order.sorting(first.c))
