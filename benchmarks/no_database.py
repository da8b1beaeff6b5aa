"""Our own service with a writer that answers at once: what the same POST costs without a database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count

import msgspec

import migrations
from api import openapi
from api.app import ROUTES, create_app
from api.auth.principal import ANYBODY, Principal
from api.checkpoints import Checkpoints
from api.cli.database import settle
from api.context import Services
from api.feed import Feed
from api.rebuilding import Rebuilding
from api.settings import from_environment
from commands.batch import Recorded
from commands.item import Command, CreateItem, Item, LiveItem, NoItem
from eventstore.engine import open_database
from eventstore.events import Metadata
from eventstore.history_reader import HistoryReader
from projections.activity import ActivityReader
from projections.item_history import ItemHistory
from projections.item_reader import ItemReader
from projections.past_reader import PastReader

_settings = from_environment()
_positions = count(1)


class _AnswersAtOnce:
    """Stands where the writer does."""

    alive = True

    async def submit(self, *commands: Command, metadata: Metadata, keyed: bool = False) -> Recorded:
        (command,) = commands
        position = next(_positions)
        item: Item = NoItem()
        if isinstance(command, CreateItem):
            item = LiveItem(1, command.name, command.price, command.in_stock)
        return Recorded(((position, item),), position)


class _LetsAnybodyIn:
    """Stands for the gate where there are no credentials."""

    async def authenticate(self, headers: Mapping[bytes, bytes], address: str) -> Principal:
        return ANYBODY

    def knows(self, headers: Mapping[bytes, bytes]) -> bool:
        return False

    async def still_admits(self, principal: Principal) -> bool:
        return True


@asynccontextmanager
async def _services() -> AsyncIterator[Services]:
    database = open_database(_settings.database_url.reveal())  # never connected to
    yield Services(
        database=database,
        schema_head=migrations.head(),
        gate=_LetsAnybodyIn(),
        writer=_AnswersAtOnce(),
        items=ItemReader(database),
        activity=ActivityReader(database),
        history=HistoryReader(database),
        checkpoints=Checkpoints(database, None, "localhost/log"),
        past=ItemHistory(database),
        past_items=PastReader(database),
        rebuilding=Rebuilding(database, _settings.database_url),
        feed=Feed(database, max_streams=0, max_client_streams=1, lifetime=1),
        openapi=msgspec.json.encode(openapi.document(ROUTES)),
    )


app = create_app(_settings, _services)
settle()
