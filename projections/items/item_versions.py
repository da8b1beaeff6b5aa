"""The earlier states of items, as a system-versioned history table. With `items` it has every state that ever was.

A row is valid from the position of the event that began its state to before the position of the event that ended it.
It is found by any position in between: see `intervals.py`.
"""

from collections.abc import Sequence

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from eventstore.events import ItemEvent
from eventstore.item import LiveItem, Transition
from eventstore.log.tables import BigInt, metadata
from eventstore.log.write_set import Row, RowChanges
from projections.items.intervals import node_of
from projections.items.items import row_of

item_versions = Table(
    "item_versions",
    metadata,
    #: The positions of the events that ended and began the state: `valid_to` is excluded, `valid_from` included.
    Column("valid_to", BigInt, primary_key=True, autoincrement=False),
    Column("valid_from", BigInt, nullable=False),
    #: Of the interval from `valid_from` to before `valid_to`.
    Column("node", BigInt, nullable=False),
    # The item's row in `items`.
    Column("id", BigInt, nullable=False),
    Column("name", String(255).with_variant(String(255, collation="C"), "postgresql"), nullable=False),
    Column("price", BigInt, nullable=False),
    Column("in_stock", Boolean, nullable=False),
    Column("version", BigInt, nullable=False),
    Column("name_folded", Text, nullable=False),
    # The rows at a position are the rows of a few nodes, in any order that `items` can be listed in.
    Index("ix_item_versions_node_id", "node", "id"),
    Index("ix_item_versions_node_name_id", "node", "name", "id"),
    Index("ix_item_versions_node_price_id", "node", "price", "id"),
)


class ItemVersionsProjection:
    """Folds transitions into rows of `item_versions`; see Projection."""

    name = "item_versions"
    version = 1
    table = item_versions
    keyed_by_item = False

    def fold(self, transitions: Sequence[Transition]) -> RowChanges:
        """Return the rows of the states that events ended."""
        return RowChanges(
            {
                transition.event.position: _ended(transition.event, transition.before, transition.since)
                for transition in transitions
                if isinstance(transition.before, LiveItem)
            }
        )


ITEM_VERSIONS = ItemVersionsProjection()


def _ended(event: ItemEvent, item: LiveItem, since: int) -> Row:
    row = row_of(event.item_id, item)
    return {**row, "valid_from": since, "valid_to": event.position, "node": node_of(since, event.position - 1)}
