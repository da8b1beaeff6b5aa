"""Fills a log by the service's own writer: `python -m benchmarks.fill DATABASE_URL ITEMS CHANGES`."""

import asyncio
import sys
from decimal import Decimal
from itertools import chain, islice

import migrations
from api.edge.context import new_id
from commands.item import ChangeItem, Command, CreateItem
from commands.writer import Writer
from eventstore.database.engine import open_database
from eventstore.events import Metadata
from projections import PROJECTIONS
from projections.live import LiveProjections

_BATCH = 1000


async def fill(database_url: str, items: int, changes: int) -> None:
    """Append `items` creations and `changes` of item 1 to a log, after upgrading its schema to head."""
    database = open_database(database_url)
    await database.write(migrations.upgrade)
    writer = Writer(database, LiveProjections(PROJECTIONS), max_queue=_BATCH, max_batch=_BATCH)
    commands = chain[Command](
        (CreateItem(f"Item {n}", Decimal(n % 9973) / 100) for n in range(items)),
        (ChangeItem(1, price=Decimal(n)) for n in range(1, changes + 1)),
    )
    while batch := list(islice(commands, _BATCH)):
        await asyncio.gather(*(writer.submit(command, metadata=Metadata(new_id())) for command in batch))
    await writer.close()
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
