"""One item as its events leave it: its states and `evolve`. Pure.

Decisions, snapshots and every projection use this one fold, so they cannot disagree.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import assert_never

from msgspec import UNSET, Struct

from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemEvent, ItemRestored


class NoItem(Struct, frozen=True, gc=False):
    """An item without a known event. `version` is above 0 only before a snapshot is applied."""

    version: int = 0


class _CreatedItem(Struct, frozen=True, gc=False):
    version: int
    name: str
    price: Decimal
    in_stock: bool


class LiveItem(_CreatedItem, frozen=True, gc=False):
    """An item that clients see."""


class DeletedItem(_CreatedItem, frozen=True, gc=False):
    """A deleted item, with its last state."""


Item = NoItem | LiveItem | DeletedItem


#: An item's state, and the position of the event that led to it: 0 before the first.
StateAt = tuple[Item, int]
NOTHING: StateAt = (NoItem(), 0)


class Transition(Struct, frozen=True, gc=False):
    """An event, and the states of its item around it: the input of projections."""

    event: ItemEvent
    before: Item
    after: Item
    #: The position of the event that led to `before`, 0 for an item's first event.
    since: int


def evolve(item: Item, event: Event) -> Item:
    """Return `item` after `event`. Raises ValueError for a history that `decide` can't have produced."""
    # Read fields by name: matching them in the pattern takes several times as long, and a replay does little else.
    match event:
        case ItemCreated():
            if item.__class__ is NoItem:
                return LiveItem(item.version + 1, event.name, event.price, event.in_stock)
        case ItemChanged():
            if isinstance(item, LiveItem):
                return LiveItem(
                    item.version + 1,
                    item.name if event.name is UNSET else event.name,
                    item.price if event.price is UNSET else event.price,
                    item.in_stock if event.in_stock is UNSET else event.in_stock,
                )
        case ItemDeleted():
            if isinstance(item, LiveItem):
                return DeletedItem(item.version + 1, item.name, item.price, item.in_stock)
        case ItemRestored():
            if isinstance(item, DeletedItem):
                return LiveItem(item.version + 1, item.name, item.price, item.in_stock)
        case _:
            assert_never(event)
    raise ValueError(f"{event.type} does not apply to {item!r}")


def states(stream: Iterable[ItemEvent]) -> Iterable[Item]:
    """Return the item after each event of a stream, which begins with its creation or a snapshot."""
    item: Item = NoItem()
    for recorded in stream:
        if item.__class__ is NoItem:
            item = NoItem(recorded.version - 1)  # a snapshot begins at its own version
        item = evolve(item, recorded.event)
        yield item


def fold(stream: Iterable[ItemEvent]) -> Item:
    """Return the item after all events of a stream, which begins with its creation or a snapshot."""
    item: Item = NoItem()
    for state in states(stream):
        item = state
    return item


def last_state(stream: Sequence[ItemEvent]) -> StateAt:
    """Return the item after a stream, which is not empty, and the position of its last event."""
    return fold(stream), stream[-1].position
