"""The states of items around events that are read from the log: for replays, and for imports."""

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Connection

from eventstore.errors import TamperedError
from eventstore.events import ItemEvent
from eventstore.item import NOTHING, StateAt, Transition, evolve, last_state
from eventstore.log.streams import read_streams

#: The most items whose states are kept, about 20 MiB. The state of another item is folded from its events again.
_MAX_ITEMS = 50_000


class ItemStates:
    """The states of items after the events that were followed so far. No snapshot is used: the log alone decides."""

    def __init__(self, known: dict[int, StateAt] | None = None) -> None:
        self._known = known or {}

    def copy(self) -> "ItemStates":
        """Return a copy, for events that may be followed again."""
        return ItemStates(dict(self._known))

    def follow(self, connection: Connection, events: Sequence[ItemEvent]) -> list[Transition]:
        """Return the transition of each of `events`, and keep the states after them.

        They are in position order or item by item, and each item's are consecutive. The events before those of an item
        that is not known are read. Raises TamperedError for an event that does not apply to its item,
        UnknownEventTypeError or CorruptEventError.
        """
        if len(self._known) > _MAX_ITEMS:
            self._known = {}
        known, transitions = self._known, list[Transition]()
        for event in events:
            if (before := known.get(event.item_id)) is None:
                before = NOTHING if event.version == 1 else self._read(connection, events, event.item_id)
            item, since = before
            try:
                after = evolve(item, event.event)
            except ValueError as error:
                raise TamperedError(event.position, str(error)) from None
            known[event.item_id] = (after, event.position)
            transitions.append(Transition(event, item, after, since))
        return transitions

    def forget_all_but(self, item_id: int) -> None:
        """Keep one item's state: item by item, no event of the others follows."""
        kept = self._known.get(item_id)
        self._known = {} if kept is None else {item_id: kept}

    def _read(self, connection: Connection, events: Sequence[ItemEvent], item_id: int) -> StateAt:
        """Read the streams of this item and all others that are not known, up to `events`; return this one's state."""
        begin = {event.item_id for event in events if event.version == 1}
        missing = {event.item_id for event in events if event.version > 1} - begin - self._known.keys()
        read = read_streams(connection, missing, events[0].position - 1, ignore_snapshots=True)
        for missing_id, stream in groupby(read, key=lambda event: event.item_id):
            self._known[missing_id] = last_state(list(stream))
        return self._known.get(item_id, NOTHING)
