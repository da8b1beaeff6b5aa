"""Our own service with a writer that answers at once: what the same POST costs without a database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import msgspec

import migrations
from api import openapi
from api.app import ROUTES, create_app
from api.cli import settle
from api.context import Services
from api.settings import from_environment
from commands.item import Command, CreateItem, LiveItem, NoItem
from commands.writer import Recorded
from eventstore.engine import open_database
from eventstore.events import Metadata
from projections.items import ItemReader

_settings = from_environment()
_positions = count(1)


async def _answer_at_once(command: Command, _metadata: Metadata) -> Recorded:
    position = next(_positions)
    if isinstance(command, CreateItem):
        return Recorded(position, LiveItem(1, command.name, command.price, command.in_stock), position)
    return Recorded(position, NoItem(), position)


@asynccontextmanager
async def _services() -> AsyncIterator[Services]:
    database = open_database(_settings.database_url)  # never connected to
    yield Services(
        database=database,
        schema_head=migrations.head(),
        submit=_answer_at_once,
        writer_alive=lambda: True,
        items=ItemReader(database),
        openapi=msgspec.json.encode(openapi.document(ROUTES)),
    )


app = create_app(_settings, _services)
settle()
