"""The items as clients see them: one row a live item."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_never

from msgspec import UNSET, Struct
from sqlalchemy import Boolean, CheckConstraint, Column, Index, String, Table, Text

from eventstore.events import (
    EVENT_TYPES,
    PRICE_SCALE,
    Event,
    ItemChanged,
    ItemCreated,
    ItemDeleted,
    ItemEvent,
    ItemRestored,
)
from eventstore.log.tables import BigInt, metadata
from projections.projection import Changes, PriorState, Row

#: A price is stored as a whole number of ten-thousandths: sorts, sums and compares right on both databases.
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
    return int(price * _UNITS)


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


def view_of(row: Row) -> ItemView:
    """Give an item as `row` holds it."""
    return ItemView(row["id"], row["name"], row["price"], row["in_stock"], row["version"])


class ItemsProjection:
    """Folds events into rows of `items`; see Projection."""

    name = "items"
    version = 2
    table = items
    keyed_by_item = True
    replay_by_item = True

    def load(self, before: PriorState, events: Sequence[ItemEvent]) -> Mapping[int, Row]:
        """Read the rows that changes build on; for a deleted item that returns, what its events before said it was."""
        touched: dict[type[Event], set[int]] = {event_type: set() for event_type in EVENT_TYPES}
        for recorded in events:
            touched[recorded.event.__class__].add(recorded.item_id)
        restored = touched[ItemRestored] - touched[ItemCreated]
        rows = before.rows(touched[ItemChanged] - touched[ItemCreated] - restored)
        for recorded in before.streams(restored):
            change(rows.setdefault(recorded.item_id, {}), recorded)
        return rows

    def fold(self, events: Sequence[ItemEvent], rows: Mapping[int, Row]) -> Changes:
        """Give each item's row after `events`, None for one that is deleted."""
        after: dict[int, dict[str, Any]] = {}
        deleted: set[int] = set()
        for recorded in events:
            item_id = recorded.item_id
            row = after.get(item_id)
            if row is None:
                row = after[item_id] = dict(rows.get(item_id, ()))
            change(row, recorded)
            if recorded.event.__class__ is ItemDeleted:
                deleted.add(item_id)
            elif item_id in deleted:
                deleted.remove(item_id)
        return {**after, **dict.fromkeys(deleted)}


ITEMS = ItemsProjection()


def states(stream: Iterable[ItemEvent]) -> Iterator[Row | None]:
    """Give one item's row after each event of its stream, None where it is deleted.

    The stream goes from the event that created the item, or from a snapshot, and leaves none out.
    """
    row: Row = {}
    for fact in stream:
        after = dict(row)
        change(after, fact)
        row = after
        yield None if fact.event.__class__ is ItemDeleted else row


def change(row: dict[str, Any], recorded: ItemEvent) -> None:
    """Make of an item's row before an event the one after it; before the first it is empty."""
    event = recorded.event
    # Looked into by name: a pattern of their fields takes several times as long, and a replay does little else.
    match event:
        case ItemCreated():
            row["id"] = recorded.item_id
            row["name"], row["name_folded"] = event.name, fold_name(event.name)
            row["price"] = price_units(event.price)
            row["in_stock"] = event.in_stock
        case ItemChanged():
            if event.name is not UNSET:
                row["name"], row["name_folded"] = event.name, fold_name(event.name)
            if event.price is not UNSET:
                row["price"] = price_units(event.price)
            if event.in_stock is not UNSET:
                row["in_stock"] = event.in_stock
        case ItemDeleted() | ItemRestored():
            pass
        case _:
            assert_never(event)
    row["version"] = recorded.version
