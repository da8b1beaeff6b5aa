"""The items as clients see them: one row a live item."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, assert_never

from msgspec import UNSET, Struct
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Select,
    String,
    Table,
    bindparam,
    select,
    true,
)
from sqlalchemy import Row as AnyRow

from eventstore import log
from eventstore.database import Database
from eventstore.events import PRICE_SCALE, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, RecordedEvent
from eventstore.tables import BigInt, metadata
from projections.batching import Batched
from projections.projection import Row, checkpoints

#: A price is stored as a whole number of ten-thousandths: sorts, sums and compares right on both databases.
PRICE_UNITS = 10**PRICE_SCALE

items = Table(
    "items",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=False),
    Column("name", String(255), nullable=False),
    Column("price", BigInt, nullable=False),
    Column("in_stock", Boolean, nullable=False),
    Column("version", BigInt, nullable=False),
    CheckConstraint("version > 0", name="version"),
)


def price_units(price: Decimal) -> int:
    """Give a price in ten-thousandths, which it is a whole number of."""
    return int(price.scaleb(PRICE_SCALE))


class ItemView(Struct, frozen=True):
    """An item as its row holds it."""

    id: int
    name: str
    #: In ten-thousandths.
    price: int
    in_stock: bool
    version: int


class ItemsProjection:
    """Folds events into rows of `items`; see Projection."""

    name = "items"
    version = 1
    table = items

    def load(self, connection: Connection, table: Table, events: Sequence[RecordedEvent]) -> Mapping[int, Row]:
        """Read the rows that changes build on; for a deleted item that returns, what its events before said it was."""
        born = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemCreated)}
        changed = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemChanged)} - born
        restored = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemRestored)} - born
        rows: dict[int, Row] = {}
        if changed - restored:
            kept = select(table).where(table.c.id.in_(sorted(changed - restored)))
            rows = {row["id"]: dict(row) for row in connection.execute(kept).mappings()}
        if restored:
            history = groupby(log.read_streams(connection, restored), key=lambda recorded: recorded.item_id)
            for item_id, stream in history:
                rows[item_id] = _last_known(list(stream), before=events[0].position)
        return rows

    def fold(self, events: Sequence[RecordedEvent], rows: Mapping[int, Row]) -> Mapping[int, Row | None]:
        """Give each item's row after `events`, None for one that is deleted."""
        known = dict(rows)
        alive: dict[int, bool] = {}
        for recorded in events:
            item_id = recorded.item_id
            alive[item_id] = not isinstance(recorded.event, ItemDeleted)
            known[item_id] = _next_row(known.get(item_id, {}), recorded)
        return {item_id: known[item_id] if live else None for item_id, live in alive.items()}


ITEMS = ItemsProjection()


def _next_row(row: Row, recorded: RecordedEvent) -> Row:
    match recorded.event:
        case ItemCreated(name, price, in_stock):
            row = {"id": recorded.item_id, "name": name, "price": price_units(price), "in_stock": in_stock}
        case ItemChanged(name, price, in_stock):
            changes: dict[str, Any] = {
                "name": name,
                "price": price if price is UNSET else price_units(price),
                "in_stock": in_stock,
            }
            row = {**row, **{column: value for column, value in changes.items() if value is not UNSET}}
        case ItemDeleted() | ItemRestored():
            pass
        case _:
            assert_never(recorded.event)
    return {**row, "version": recorded.version}


def _last_known(stream: Sequence[RecordedEvent], before: int) -> Row:
    row: Row = {}
    for recorded in stream:
        if recorded.position < before:
            row = _next_row(row, recorded)
    return row


# Each query answers with the position it was read at, from the same snapshot: a row of `projections` joined to what it
# found, so that there is a row even where nothing was found.
_COLUMNS = (items.c.id, items.c.name, items.c.price, items.c.in_stock, items.c.version)
_HERE = checkpoints.c.name == ITEMS.name

_BY_ID: Select[Any] = (
    select(checkpoints.c.position, *_COLUMNS)
    .select_from(checkpoints.outerjoin(items, items.c.id.in_(bindparam("ids", expanding=True))))
    .where(_HERE)
)

_some = (
    select(*_COLUMNS).where(items.c.id > bindparam("after")).order_by(items.c.id).limit(bindparam("limit")).subquery()
)
_PAGE: Select[Any] = (
    select(checkpoints.c.position, *_some.c)
    .select_from(checkpoints.outerjoin(_some, true()))
    .where(_HERE)
    .order_by(_some.c.id)
)


class ItemReader:
    """Answers questions about items from their table alone, each with the log position that the answer is of."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id = Batched(self._load)

    async def get(self, item_id: int) -> tuple[int, ItemView | None]:
        """Give the position and the item, None where clients see none. Raises UnavailableError."""
        return await self._by_id.get(item_id)

    async def page(self, after: int, limit: int) -> tuple[int, list[ItemView]]:
        """Give the position and at most `limit` items with an id above `after`, by id. Raises UnavailableError."""
        rows = await self._database.read(_PAGE, {"after": after, "limit": limit})
        return rows[0].position, list(map(_view, filter(_found, rows)))

    async def _load(self, item_ids: Sequence[int]) -> Mapping[int, tuple[int, ItemView | None]]:
        rows = await self._database.read(_BY_ID, {"ids": item_ids})
        views = {row.id: _view(row) for row in rows if _found(row)}
        return {item_id: (rows[0].position, views.get(item_id)) for item_id in item_ids}


def _found(row: AnyRow[Any]) -> bool:
    return row.id is not None


def _view(row: AnyRow[Any]) -> ItemView:
    return ItemView(row.id, row.name, row.price, row.in_stock, row.version)
