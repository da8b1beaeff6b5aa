"""One item's past: its state at each version, and at any position of the log, derived from its events only."""

from collections.abc import Sequence
from itertools import chain, pairwise

from msgspec import Struct

from eventstore import codec
from eventstore.database.database import Database
from eventstore.events import ItemEvent
from eventstore.item import fold, states
from eventstore.log.history import StoredEvent
from eventstore.log.streams import read_streams
from projections.items.items import ItemView, view_of


class Version(Struct, frozen=True):
    """An event of an item, and the item as clients saw it before and after: None where they saw none."""

    event: StoredEvent
    before: ItemView | None
    after: ItemView | None


class ItemHistory:
    """Reads one item's past.

    Every method raises UnavailableError, and UnknownEventTypeError or CorruptEventError for events that cannot be read.
    However long the history, few events beside the requested ones are read: see eventstore's snapshots.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def versions(self, events: Sequence[StoredEvent]) -> list[Version]:
        """Return the effect of each of `events`, which are consecutive events of one item, the oldest first."""
        if not events:
            return []
        item_id = events[0].item_id
        earlier = await self._stream(item_id, events[0].position - 1)
        decoded = (
            ItemEvent(
                event.position,
                item_id,
                event.version,
                event.recorded_at,
                codec.decode(event.position, event.type, event.data),
            )
            for event in events
        )
        views = [None, *(view_of(item_id, item) for item in states(chain(earlier, decoded)))]
        pairs = list(pairwise(views))[-len(events) :]
        return [Version(event, before, after) for event, (before, after) in zip(events, pairs, strict=True)]

    async def state(self, item_id: int, position: int) -> ItemView | None:
        """Return an item as clients saw it when the log was at `position`, None where they saw none."""
        return view_of(item_id, fold(await self._stream(item_id, position)))

    async def _stream(self, item_id: int, through: int) -> Sequence[ItemEvent]:
        return await self._database.read_transaction(
            lambda connection: list(read_streams(connection, [item_id], through))
        )
