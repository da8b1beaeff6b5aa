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
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored, Metadata, ProposedEvent
from eventstore.log.unit_of_work import unit_of_work
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
    projectors = [LiveProjections(PROJECTIONS)]

    def append(connection: Connection) -> bool:
        """Append the next facts. Return whether there were any."""
        unit = [_proposed(position, fact) for position, fact in islice(facts, _UNIT)]
        with unit_of_work(connection, projectors) as work:
            work.record(unit, (_BEGINNING + work.head.position) * 1_000_000)
        return bool(unit)

    while await database.write(append):
        pass
    await database.dispose()


def _held(connection: Connection) -> int:
    with unit_of_work(connection, []) as work:
        return work.head.position


def _proposed(position: int, fact: ItemEvent) -> ProposedEvent:
    # An item's number in the history is its id in a log with nothing else.
    event = _EVENTS[fact.kind](**fact.fields)
    metadata = Metadata(f"{position:024x}", correlation_id=f"{position:032x}")
    return ProposedEvent(fact.item, fact.version, event, metadata)


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], int(sys.argv[2])))
