"""What an item was: at each of its versions, and at any position of the log. Told from its events alone."""

from collections.abc import Sequence
from itertools import chain, pairwise

from msgspec import Struct
from sqlalchemy import Connection

from eventstore import codec
from eventstore.database.database import Database
from eventstore.events import ItemEvent
from eventstore.log import log
from eventstore.log.history import StoredEvent
from projections.items.items import ItemView, states, view_of
from projections.projection import Row


class Version(Struct, frozen=True):
    """An event of an item, and what clients saw of the item before it and after it: None where there was none."""

    event: StoredEvent
    before: ItemView | None
    after: ItemView | None


class ItemHistory:
    """Answers questions about one item's past.

    All raise UnavailableError, and UnknownEventTypeError or CorruptEventError for events that can't be read. However
    long the item's history is, few events are read beside those that are asked for: see eventstore's snapshots.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def versions(self, events: Sequence[StoredEvent]) -> list[Version]:
        """Give what each of `events` did: those of one item, one after the other, the first of them first."""
        if not events:
            return []
        item_id = events[0].item_id
        earlier = await self._database.read_transaction(
            lambda connection: _stream(connection, item_id, events[0].position - 1)
        )
        facts = (
            ItemEvent(
                event.position,
                item_id,
                event.version,
                event.recorded_at,
                codec.decode(event.position, event.type, event.data),
            )
            for event in events
        )
        views = [None, *map(_view, states(chain(earlier, facts)))]
        pairs = list(pairwise(views))[-len(events) :]
        return [Version(event, before, after) for event, (before, after) in zip(events, pairs, strict=True)]

    async def state(self, item_id: int, position: int) -> ItemView | None:
        """Give an item as clients saw it when the log was at `position`, None where they saw none."""
        stream = await self._database.read_transaction(lambda connection: _stream(connection, item_id, position))
        *_, last = None, *map(_view, states(stream))
        return last


def _stream(connection: Connection, item_id: int, through: int) -> Sequence[ItemEvent]:
    return list(log.read_streams(connection, [item_id], through))


def _view(row: Row | None) -> ItemView | None:
    return None if row is None else view_of(row)
