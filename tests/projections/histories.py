"""Random histories of several items, as `evolve` allows them."""

from decimal import Decimal
from typing import assert_never

from hypothesis import strategies as st
from msgspec import UNSET

from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, Metadata
from eventstore.item import DeletedItem, Item, LiveItem, NoItem, evolve
from tests.eventstore.recording import ProposedEvent

_names = st.sampled_from(["Pen", "Ink", "F\u00fcller \U0001f58a", "\u202enep\u200b"])  # commands refuse the last
_prices = st.integers(-(10**18) + 1, 10**18 - 1).map(lambda units: Decimal(units).scaleb(-4))
_created = st.builds(ItemCreated, _names, _prices, st.booleans())
_changed = st.builds(ItemChanged, st.just(UNSET) | _names, st.just(UNSET) | _prices, st.just(UNSET) | st.booleans())


@st.composite
def histories(draw: st.DrawFn, max_size: int = 30) -> list[ProposedEvent]:
    """Draw a log's events from position 1: each creates an item, or is possible for an existing one."""
    items: dict[int, Item] = {}
    proposed: list[ProposedEvent] = []
    for position in range(1, draw(st.integers(1, max_size)) + 1):
        # Few items with many events each, so that most cuts go through a life.
        begins = not items or (len(items) < 4 and draw(st.booleans()))
        item_id = position if begins else draw(st.sampled_from(sorted(items)))
        before = items.get(item_id, NoItem())
        event = draw(_possible(before))
        items[item_id] = item = evolve(before, event)
        proposed.append(ProposedEvent(item_id, item.version, event, Metadata(f"command-{position}")))
    return proposed


def cuts(draw: st.DrawFn, length: int) -> list[int]:
    """Draw where to cut a run of `length` events: increasing, from 0 to the end."""
    inner = draw(st.sets(st.integers(1, length - 1), max_size=length)) if length > 1 else set()
    return [0, *sorted(inner), length]


def _possible(item: Item) -> st.SearchStrategy[Event]:
    match item:
        case NoItem():
            return _created
        case LiveItem():
            return _changed | st.builds(ItemDeleted)
        case DeletedItem():
            return st.builds(ItemRestored)
        case _:
            assert_never(item)
