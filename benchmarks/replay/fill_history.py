"""Fills a log with a long history: `python -m benchmarks.replay.fill_history DATABASE_URL EVENTS`.

Thousands of events go into one unit of work without the writer, since there is nothing to decide. The projections are
updated as the service does it, so that a rebuild has tables to compare with. A log that already holds the beginning of
the history gets the rest.
"""

import asyncio
import sys
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from sqlalchemy import Connection

import migrations
from benchmarks.replay.history import ItemEvent, Kind, history
from eventstore.database.engine import open_database
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, Metadata, RecordedEvent
from eventstore.log.head import head_position
from eventstore.log.transitions import ItemStates
from eventstore.log.unit_of_work import unit_of_work
from eventstore.log.write_set import build
from projections import PROJECTIONS
from projections.live import LiveProjections

_UNIT: Final = 5000
_EVENTS: Final[dict[Kind, type[Event]]] = {
    "created": ItemCreated,
    "changed": ItemChanged,
    "deleted": ItemDeleted,
    "restored": ItemRestored,
}
# An event a second from here on: 5,000,000 are 58 days.
_BEGINNING: Final = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())


async def fill(database_url: str, events: int) -> None:
    """Append to a log until it holds `events`, after upgrading its schema to head."""
    database = open_database(database_url)
    await database.write(migrations.upgrade)
    held = await database.write(_held)
    facts = islice(enumerate(history(), 1), held, events)
    projector, states = LiveProjections(PROJECTIONS), ItemStates()

    def append(connection: Connection) -> bool:
        """Append the next facts. Return whether there were any."""
        with unit_of_work(connection, projector) as work:
            now = (_BEGINNING + work.head.position) * 1_000_000
            events = [_recorded(position, now, fact) for position, fact in islice(facts, _UNIT)]
            if events:
                work.write(build(work.head, states.follow(connection, events), projector))
        return bool(events)

    while await database.write(append):
        pass
    await database.dispose()


def _held(connection: Connection) -> int:
    with connection.begin():
        return head_position(connection)


def _recorded(position: int, now: int, fact: ItemEvent) -> RecordedEvent:
    # An item's number in the history is its id in a log with nothing else.
    event = _EVENTS[fact.kind](**fact.fields)
    metadata = Metadata(f"{position:024x}", correlation_id=f"{position:032x}")
    return RecordedEvent(position, fact.item, fact.version, now, event, metadata)


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], int(sys.argv[2])))
