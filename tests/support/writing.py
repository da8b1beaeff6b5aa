"""A writer under test, and the commands to give it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any

from commands.batch import Recorded
from commands.item import CreateItem
from commands.writer import Writer
from eventstore.database.database import Database
from eventstore.events import Metadata
from projections import PROJECTIONS
from projections.live import LiveProjections

_numbers = count(1)


@asynccontextmanager
async def writing(database: Database, **options: Any) -> AsyncIterator[Writer]:
    """Run a writer over `database`; close it at the end."""
    writer = Writer(database, [LiveProjections(PROJECTIONS)], **options)
    try:
        yield writer
    finally:
        await writer.close()


def metadata() -> Metadata:
    """Return a command's metadata, with an id of its own."""
    return Metadata(command_id=f"command-{next(_numbers)}")


async def create(writer: Writer, name: str = "Pen") -> Recorded:
    """Create an item."""
    return await writer.submit(CreateItem(name, Decimal("9.99")), metadata=metadata())
