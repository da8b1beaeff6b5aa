"""The items as clients see them: one row for each item that is not deleted."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_never

from msgspec import UNSET, Struct
from sqlalchemy import Boolean, CheckConstraint, Column, Index, String, Table, Text

from eventstore.events import PRICE_SCALE, Event, ItemChanged, ItemCreated, ItemDeleted, ItemEvent, ItemRestored
from eventstore.log.tables import BigInt, metadata
from projections.projection import Changes, PriorState, Row

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
    """Folds events into rows of `items`; see Projection."""

    name = "items"
    version = 2
    table = items
    keyed_by_item = True
    replay_by_item = True

    def load(self, before: PriorState, events: Sequence[ItemEvent]) -> Mapping[int, Row]:
        """Read the rows that changes build on. A restored item has no row, so fold its earlier events."""
        ids: dict[type[Event], set[int]] = defaultdict(set)
        for recorded in events:
            ids[recorded.event.__class__].add(recorded.item_id)
        restored = ids[ItemRestored] - ids[ItemCreated]
        rows = before.rows(ids[ItemChanged] - ids[ItemCreated] - restored)
        for recorded in before.streams(restored):
            apply_event(rows.setdefault(recorded.item_id, {}), recorded)
        return rows

    def fold(self, events: Sequence[ItemEvent], rows: Mapping[int, Row]) -> Changes:
        """Return each item's row after `events`, None for a deleted item."""
        after: dict[int, dict[str, Any]] = {}
        deleted: set[int] = set()
        for recorded in events:
            item_id = recorded.item_id
            row = after.get(item_id)
            if row is None:
                row = after[item_id] = dict(rows.get(item_id, ()))
            apply_event(row, recorded)
            if recorded.event.__class__ is ItemDeleted:
                deleted.add(item_id)
            elif item_id in deleted:
                deleted.remove(item_id)
        return {**after, **dict.fromkeys(deleted)}


ITEMS = ItemsProjection()


def apply_event(row: dict[str, Any], recorded: ItemEvent) -> None:
    """Update an item's row in place, from before an event to after it; before the first event it is empty."""
    event = recorded.event
    # Read fields by name: matching them in the pattern takes several times as long, and a replay does little else.
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


def state_after(state: Row, recorded: ItemEvent) -> Row:
    """Return an item's state after an event: its row, and in `active` whether it is not deleted."""
    row = dict(state)
    apply_event(row, recorded)
    row["active"] = recorded.event.__class__ is not ItemDeleted
    return row


def states(stream: Iterable[ItemEvent]) -> Iterator[Row | None]:
    """Return one item's state after each event of its stream, None where it is deleted.

    The stream begins with the event that created the item, or with a snapshot, and has no gaps.
    """
    state: Row = {}
    for recorded in stream:
        state = state_after(state, recorded)
        yield state if state["active"] else None
