"""The earlier states of items, as a system-versioned history table. With `items` it has every state that ever was.

A row is valid from the position of the event that began its state to before the position of the event that ended it.
It is found by any position in between: see `intervals.py`.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from eventstore.events import ItemCreated, ItemEvent
from eventstore.log.tables import BigInt, metadata
from projections.items.intervals import node_of
from projections.items.items import state_after
from projections.projection import Changes, PriorState, Row

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
_COPIED = [column.name for column in item_versions.c if column.name not in ("valid_to", "node")]


class ItemVersionsProjection:
    """Folds events into rows of `item_versions`; see Projection.

    Before a run of events it reads the states of the items in the run, with their `valid_from`. They are distinguished
    from rows by their keys: the items' ids, negated.
    """

    name = "item_versions"
    version = 1
    table = item_versions
    keyed_by_item = False
    replay_by_item = True

    def load(self, before: PriorState, events: Sequence[ItemEvent]) -> Mapping[int, Row]:
        """Read the items' states from at most two events and a row each.

        The row that an event ended has the state before it. Only the event that restores an item ended no row: the
        state before it is the one before the deletion.
        """
        created = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemCreated)}
        previous = before.previous_events(recorded for recorded in events if recorded.item_id not in created)
        ended = before.rows(recorded.position for recorded in previous)
        items: dict[int, Row] = {}
        for recorded in previous:
            state = ended.get(recorded.position) or items.get(-recorded.item_id, {})
            items[-recorded.item_id] = _state_after(state, recorded)
        return items

    def fold(self, events: Sequence[ItemEvent], rows: Mapping[int, Row]) -> Changes:
        """Return the rows of the states that `events` ended."""
        items, ended = dict(rows), dict[int, Row]()
        for recorded in events:
            before = items.get(-recorded.item_id, {})
            if before.get("active"):
                ended[recorded.position] = _ended(before, recorded.position)
            items[-recorded.item_id] = _state_after(before, recorded)
        return ended


ITEM_VERSIONS = ItemVersionsProjection()


def _state_after(state: Row, recorded: ItemEvent) -> Row:
    return {**state_after(state, recorded), "valid_from": recorded.position}


def _ended(state: Row, position: int) -> Row:
    row = {name: state[name] for name in _COPIED}
    return {**row, "valid_to": position, "node": node_of(state["valid_from"], position - 1)}
