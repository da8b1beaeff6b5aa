"""The items as clients see them: one row for each item that is not deleted."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from sqlalchemy import Boolean, CheckConstraint, Column, Index, String, Table, Text

from eventstore.events import PRICE_SCALE
from eventstore.item import Item, LiveItem, NoItem, Transition
from eventstore.log.tables import BigInt, metadata
from eventstore.log.write_set import Row, RowChanges

#: A price is stored as an integer of ten-thousandths: it sorts, sums and compares exactly on both databases.
PRICE_UNITS = 10**PRICE_SCALE
_UNITS = Decimal(PRICE_UNITS)

items = Table(
    "items",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=False),
    # Names sort by code point on both databases, whatever locale PostgreSQL was set up with.
    Column("name", String(255).with_variant(String(255, collation="C"), "postgresql"), nullable=False),
    Column("price", BigInt, nullable=False),
    Column("in_stock", Boolean, nullable=False),
    Column("version", BigInt, nullable=False),
    #: What a search by name compares; see `fold_name`.
    Column("name_folded", Text, nullable=False),
    CheckConstraint("version > 0", name="version"),
    # A page begins at its key in one of these, however far behind the first page it is.
    Index("ix_items_name_id", "name", "id"),
    Index("ix_items_price_id", "price", "id"),
    # Otherwise SQLite makes the id the row number, and uses only the name or the price to search an index.
    sqlite_with_rowid=False,
)


def price_units(price: Decimal) -> int:
    """Return a price as an integer of ten-thousandths."""
    return int(price * _UNITS)


def fold_name(name: str) -> str:
    """Return `name` without differences of case (Unicode's full case folding), which a search ignores."""
    return name.casefold()


class ItemView(Struct, frozen=True):
    """One row of `items`."""

    id: int
    name: str
    #: In ten-thousandths.
    price: int
    in_stock: bool
    version: int


class ItemsProjection:
    """Folds transitions into rows of `items`; see Projection."""

    name = "items"
    version = 2
    table = items
    keyed_by_item = True

    def fold(self, transitions: Sequence[Transition]) -> RowChanges:
        """Return each item's row after its last event; an item that is deleted then has none."""
        first: dict[int, Item] = {}
        last: dict[int, Item] = {}
        for transition in transitions:
            item_id = transition.event.item_id
            first.setdefault(item_id, transition.before)
            last[item_id] = transition.after
        inserted, replaced, deleted = dict[int, Row](), dict[int, Row](), list[int]()
        for item_id, item in last.items():
            if isinstance(item, LiveItem):
                rows = inserted if isinstance(first[item_id], NoItem) else replaced
                rows[item_id] = row_of(item_id, item)
            elif not isinstance(first[item_id], NoItem):
                deleted.append(item_id)
        return RowChanges(inserted, replaced, delete=deleted)


ITEMS = ItemsProjection()


def row_of(item_id: int, item: LiveItem) -> dict[str, Any]:
    """Return the row of an item."""
    return {
        "id": item_id,
        "name": item.name,
        "price": price_units(item.price),
        "in_stock": item.in_stock,
        "version": item.version,
        "name_folded": fold_name(item.name),
    }


def view_of(item_id: int, item: Item) -> ItemView | None:
    """Return an item as clients see it, None if they see none."""
    if not isinstance(item, LiveItem):
        return None
    return ItemView(item_id, item.name, price_units(item.price), item.in_stock, item.version)
