"""Fills a log by the service's own writer: `python -m benchmarks.fill DATABASE_URL EVENTS`."""

import asyncio
import sys
from decimal import Decimal

import migrations
from api.context import new_id
from commands.item import CreateItem
from commands.writer import Writer
from eventstore.engine import open_database
from eventstore.events import Metadata
from projections import PROJECTIONS
from projections.projection import LiveProjections

_BATCH = 1000


async def fill(database_url: str, events: int) -> None:
    """Append `events` creations to a log, whose schema is brought to head first."""
    database = open_database(database_url)
    await database.write(migrations.upgrade)
    writer = Writer(database, [LiveProjections(PROJECTIONS)], max_queue=_BATCH, max_batch=_BATCH)
    for start in range(0, events, _BATCH):
        creations = [
            CreateItem(f"Item {n}", Decimal(n % 9973) / 100) for n in range(start, min(start + _BATCH, events))
        ]
        await asyncio.gather(*(writer.submit(creation, metadata=Metadata(new_id())) for creation in creations))
    await writer.close()
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], int(sys.argv[2])))
