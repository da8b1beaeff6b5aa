"""Reads items from their table alone, each result with its log position."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select

from eventstore.batching import Batched
from eventstore.database.database import Database
from eventstore.database.parameters import in_ids, numbers
from eventstore.database.prepared import Prepared
from eventstore.log.head import POSITION
from eventstore.log.tables import log_head
from projections.items.items import ITEMS, ItemView, items
from projections.items.lists import Filter, ListPlan, Order, Page, PageKey, Shape
from projections.projection import projections_table
from projections.projection_status import read_columns, read_tables, with_position

#: The most rows that one page tests with its filters. A page that finds few matches among them is short, and the next
#: page continues behind them.
SCAN_ROWS = 10_000

# Each query returns the position of its snapshot: the row of `log_head`, outer joined with the items, so that there is
# a row even where no item matches.
_COLUMNS = (log_head.c.position, projections_table.c.version, *(items.c[name] for name in ItemView.__struct_fields__))
_TABLE = projections_table.c.name == ITEMS.name

#: The most look-ups by id at once, and how long one may take. One that gets no answer does not delay the others.
_MAX_LOADS = 2
_LOAD_SECONDS = 3.0


class FoundItem(NamedTuple):
    """An item as of a log position, None where clients see none; and the version of the table that it is from."""

    position: int
    table_version: int
    item: ItemView | None


class ItemReader:
    """Reads items. Every method raises ProjectionNotReadyError and UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        wanted = in_ids(database.reader, items.c.id, "ids")
        by_id = select(*_COLUMNS).select_from(log_head.join(projections_table, _TABLE).outerjoin(items, wanted))
        self._statement = Prepared(by_id, database.reader.dialect.name)
        self._by_id = Batched(self._load, max_loads=_MAX_LOADS, timeout_seconds=_LOAD_SECONDS)
        self._position = Batched(self._load_position)

    async def position(self) -> int:
        """Return the log position of the table."""
        return await self._position.get(None)

    async def get(self, item_id: int) -> FoundItem:
        """Return the item with this id."""
        return await self._by_id.get(item_id)

    async def page(self, wanted: Filter, order: Order, after: PageKey | None, limit: int) -> Page:
        """Return at most `limit` items of a list, those behind `after`.

        Items that are created or deleted meanwhile move no others: a client that follows the pages sees no item twice,
        and every item that existed throughout. A page costs the same wherever it begins.
        """
        plan = ListPlan.of(wanted, order, after)
        scanned: PageKey | None = None
        if plan.residual_filters:
            parameters = plan.parameters
            # Read before the page and not with it: the page tests all rows up to there, whatever happens in between.
            scan_end = _scan_end(plan.shape(filtered=False))
            last = await read_columns(self._database, (ITEMS,), lambda: self._database.read(scan_end, parameters))
            scanned = order.key_of(last[0]) if last else None
            plan = plan.up_to(scanned)
        # One more row than requested shows whether there is a next page.
        page, wanted_rows = _page(plan.shape()), {**plan.parameters, "limit": limit + 1}
        rows = await read_tables(self._database, (ITEMS,), lambda: self._database.read(page, wanted_rows))
        views = [ItemView(*tuple(row)[1:]) for row in rows if row.id is not None]
        more = order.key_of(views[limit - 1]) if len(views) > limit else scanned
        return Page(rows[0].position, views[:limit], more)

    async def _load(self, item_ids: Sequence[int]) -> Mapping[int, FoundItem]:
        ids = {"ids": numbers(self._database.reader, item_ids)}
        rows = await read_tables(self._database, (ITEMS,), lambda: self._database.look_up(self._statement, ids))
        views = {
            item_id: ItemView(item_id, name, price, bool(in_stock), version)
            for _, _, item_id, name, price, in_stock, version in rows
            if item_id is not None
        }
        return {item_id: FoundItem(rows[0][0], rows[0][1], views.get(item_id)) for item_id in item_ids}

    async def _load_position(self, keys: Sequence[None]) -> Mapping[None, int]:
        return dict.fromkeys(keys, (await self._database.read(POSITION))[0].position)


@lru_cache
def _scan_end(shape: Shape) -> Select[Any]:
    """Build the query for the last row that a page may test; it finds none where the list ends before."""
    return shape.rows(items.c, shape.order.columns).offset(SCAN_ROWS - 1).limit(1)


@lru_cache(512)
def _page(shape: Shape) -> Select[Any]:
    page = shape.rows(items.c, ItemView.__struct_fields__).limit(bindparam("limit")).subquery()
    return with_position(ITEMS, page).order_by(*shape.order.sorting(page.c))
