"""The items as they were: one row for each state of an item that an event has ended. With `items`, all that ever was.

A row is of the positions from the event that began its state to the one before that which ended it. It is found by any
position in between: see `intervals.py`.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from eventstore.events import ItemCreated, ItemDeleted, ItemEvent
from eventstore.log.tables import BigInt, metadata
from projections.items.intervals import node_of
from projections.items.items import change
from projections.projection import Changes, PriorState, Row

item_versions = Table(
    "item_versions",
    metadata,
    #: The positions of the events that ended and began the state.
    Column("ended", BigInt, primary_key=True, autoincrement=False),
    Column("began", BigInt, nullable=False),
    #: Of the interval from `began` to before `ended`.
    Column("node", BigInt, nullable=False),
    # What the item's row in `items` was.
    Column("id", BigInt, nullable=False),
    Column("name", String(255).with_variant(String(255, collation="C"), "postgresql"), nullable=False),
    Column("price", BigInt, nullable=False),
    Column("in_stock", Boolean, nullable=False),
    Column("version", BigInt, nullable=False),
    Column("name_folded", Text, nullable=False),
    # What was there at a position is the rows of a few nodes, in any order that `items` can be listed in.
    Index("ix_item_versions_node_id", "node", "id"),
    Index("ix_item_versions_node_name_id", "node", "name", "id"),
    Index("ix_item_versions_node_price_id", "node", "price", "id"),
)


_KEPT = [column.name for column in item_versions.c if column.name not in ("ended", "node")]


class ItemVersionsProjection:
    """Folds events into rows of `item_versions`; see Projection.

    It needs to know what the items were that a run's events happen to. Those are told apart from rows by their keys:
    their ids, below zero. They also have `began`, and whether they are `alive`.
    """

    name = "item_versions"
    version = 1
    table = item_versions
    keyed_by_item = False
    replay_by_item = True

    def load(self, before: PriorState, events: Sequence[ItemEvent]) -> Mapping[int, Row]:
        """Read what the items were, from no more than two events and a row of each.

        The row that an event has ended says what was before it. Only a deleted item that returns has no such row: it is
        what it was before its deletion.
        """
        born = {fact.item_id for fact in events if isinstance(fact.event, ItemCreated)}
        preceding = before.previous_events(fact for fact in events if fact.item_id not in born)
        ended = before.rows(fact.position for fact in preceding)
        items: dict[int, Row] = {}
        for fact in preceding:
            items[-fact.item_id] = _apply_event(ended.get(fact.position) or items.get(-fact.item_id, {}), fact)
        return items

    def fold(self, events: Sequence[ItemEvent], rows: Mapping[int, Row]) -> Changes:
        """Give the rows of the states that `events` ended."""
        items, ended = dict(rows), dict[int, Row]()
        for fact in events:
            before = items.get(-fact.item_id, {})
            if before.get("alive"):
                ended[fact.position] = _end(before, fact.position)
            items[-fact.item_id] = _apply_event(before, fact)
        return ended


ITEM_VERSIONS = ItemVersionsProjection()


def _apply_event(item: Row, fact: ItemEvent) -> Row:
    """Give what an item is since `fact`."""
    row = dict(item)
    change(row, fact)
    return {**row, "began": fact.position, "alive": not isinstance(fact.event, ItemDeleted)}


def _end(item: Row, position: int) -> Row:
    row = {name: item[name] for name in _KEPT}
    return {**row, "ended": position, "node": node_of(item["began"], position - 1)}
