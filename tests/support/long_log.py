"""A long log of mixed events, filled quickly, and what there is after it."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, Metadata
from eventstore.log.unit_of_work import unit_of_work
from projections import PROJECTIONS
from projections.live import LiveProjections
from tests.eventstore.recording import ProposedEvent, opened, record_in

#: Events of one transaction.
_UNIT = 1_000
#: When the first one happened, and how long it took from there to the last one, in microseconds.
_BEGAN = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LASTED = timedelta(days=10) // timedelta(microseconds=1)

#: An item as clients see it.
Item = dict[str, Any]


async def fill_long(url: str, events: int, seed: int) -> dict[int, Item]:
    """Put `events` events, of ten days, into an empty log; return the items that there are then, by id.

    Of 100 events about 60 are creations, 30 changes, 7 deletions and 3 restorations.
    """
    history = _History(seed)
    proposed = (history.next(position) for position in range(1, events + 1))
    projector = LiveProjections(PROJECTIONS)

    def append(connection: Connection) -> bool:
        """Append the next events; return whether there were any."""
        unit = list(islice(proposed, _UNIT))
        with unit_of_work(connection, projector) as work:
            record_in(work, unit, _BEGAN + _LASTED * work.head.position // events)
        return bool(unit)

    async with opened(url) as database:
        while await database.write(append):
            pass
    return history.live


class _History:
    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._versions: dict[int, int] = {}
        self._deleted: dict[int, Item] = {}
        #: Ids of live items to choose from; one that was deleted meanwhile may be among them, and be drawn in vain.
        self._ids: list[int] = []
        self.live: dict[int, Item] = {}

    def next(self, position: int) -> ProposedEvent:
        """Let something happen at `position`."""
        item_id, event = self._apply_event(position)
        version = self._versions[item_id] = self._versions.get(item_id, 0) + 1
        return ProposedEvent(item_id, version, event, Metadata(f"long-{position}"))

    def _apply_event(self, position: int) -> tuple[int, Event]:
        drawn, price = self._chance.random(), Decimal(self._chance.randrange(10**6)) / 100
        item_id = self._chance.choice(self._ids) if self._ids else 0
        if drawn < 0.03 and self._deleted:
            item_id, item = self._deleted.popitem()
            self.live[item_id] = item
            return item_id, ItemRestored()
        if drawn < 0.40 and item_id in self.live:
            if drawn < 0.10:
                self._deleted[item_id] = self.live.pop(item_id)
                return item_id, ItemDeleted()
            self.live[item_id]["price"] = price
            return item_id, ItemChanged(price=price)
        self._ids.append(position)
        name = f"Item {position % 997}" if position % 50 else "\u202emetI\u200b"  # no longer accepted, but readable
        self.live[position] = {"id": position, "name": name, "price": price, "in_stock": True}
        return position, ItemCreated(name, price, True)
