"""The items as clients see them: one row a live item."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_never

from msgspec import UNSET, Struct
from sqlalchemy import Boolean, CheckConstraint, Column, Index, String, Table, Text

from eventstore.events import PRICE_SCALE, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, RecordedEvent
from eventstore.tables import BigInt, metadata
from projections.projection import Before, Changes, Row

#: A price is stored as a whole number of ten-thousandths: sorts, sums and compares right on both databases.
PRICE_UNITS = 10**PRICE_SCALE

items = Table(
    "items",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=False),
    # Names sort by code point on both databases, whatever locale PostgreSQL was set up with.
    Column("name", String(255).with_variant(String(255, collation="C"), "postgresql"), nullable=False),
    Column("price", BigInt, nullable=False),
    Column("in_stock", Boolean, nullable=False),
    Column("version", BigInt, nullable=False),
    #: What a search by name looks at; see `fold_name`.
    Column("name_folded", Text, nullable=False),
    CheckConstraint("version > 0", name="version"),
    # A page begins at its place in one of these, however far behind the first page it is.
    Index("ix_items_name_id", "name", "id"),
    Index("ix_items_price_id", "price", "id"),
    # Else SQLite takes the id for the row's own number, and enters an index by name or price alone.
    sqlite_with_rowid=False,
)


def price_units(price: Decimal) -> int:
    """Give a price in ten-thousandths, which it is a whole number of."""
    return int(price.scaleb(PRICE_SCALE))


def fold_name(name: str) -> str:
    """Give `name` without what a search leaves out of account: case (Unicode's full case folding)."""
    return name.casefold()


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
    version = 2
    table = items

    def load(self, before: Before, events: Sequence[RecordedEvent]) -> Mapping[int, Row]:
        """Read the rows that changes build on; for a deleted item that returns, what its events before said it was."""
        born = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemCreated)}
        changed = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemChanged)} - born
        restored = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemRestored)} - born
        rows = before.rows(changed - restored)
        for recorded in before.streams(restored):
            rows[recorded.item_id] = _next_row(rows.get(recorded.item_id, {}), recorded)
        return rows

    def fold(self, events: Sequence[RecordedEvent], rows: Mapping[int, Row]) -> Changes:
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
            row = {"id": recorded.item_id, **_named(name), "price": price_units(price), "in_stock": in_stock}
        case ItemChanged(name, price, in_stock):
            changes: dict[str, Any] = {} if name is UNSET else _named(name)
            if price is not UNSET:
                changes["price"] = price_units(price)
            if in_stock is not UNSET:
                changes["in_stock"] = in_stock
            row = {**row, **changes}
        case ItemDeleted() | ItemRestored():
            pass
        case _:
            assert_never(recorded.event)
    return {**row, "version": recorded.version}


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "name_folded": fold_name(name)}
