"""The service with a writer that answers at once, to measure the cost of a POST without a database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, cast

import migrations
from api.app import Services, create_app, openapi_document
from api.auth.principal import ANYBODY, Principal
from api.cli.runner import freeze_gc
from api.events.feed import Feed
from api.projections.rebuild_jobs import RebuildJobs
from api.settings import from_environment
from api.transparency.checkpoint_signer import CheckpointSigner
from commands.batch import Recorded
from commands.item import Command, CreateItem
from eventstore.database.engine import open_database
from eventstore.events import Metadata
from eventstore.item import Item, LiveItem, NoItem
from eventstore.log.history_reader import HistoryReader
from projections import PROJECTIONS
from projections.activity import ActivityReader
from projections.items.history import ItemHistory
from projections.items.past_reader import PastItemReader
from projections.items.reader import ItemReader
from projections.live import LiveProjections

_settings = from_environment()
_positions = count(1)


class _AnswersAtOnce:
    """Replacement of the writer."""

    alive = True

    async def submit(self, *commands: Command, metadata: Metadata, keyed: bool = False) -> Recorded:
        (command,) = commands
        position = next(_positions)
        item: Item = NoItem()
        if isinstance(command, CreateItem):
            item = LiveItem(1, command.name, command.price, command.in_stock)
        return Recorded(((position, item),), position)


class _AcceptsAll:
    """Stands for the authenticator while there are no credentials."""

    async def authenticate(self, headers: Mapping[bytes, bytes], address: str) -> Principal:
        return ANYBODY

    def recognizes(self, headers: Mapping[bytes, bytes]) -> bool:
        return False

    async def is_still_valid(self, principal: Principal) -> bool:
        return True


@asynccontextmanager
async def _services() -> AsyncIterator[Services]:
    database = open_database(_settings.database_url.reveal())  # never connected to
    yield Services(
        database=database,
        schema_head=migrations.head(),
        authenticator=cast("Any", _AcceptsAll()),
        writer=cast("Any", _AnswersAtOnce()),
        items=ItemReader(database),
        activity=ActivityReader(database),
        history=HistoryReader(database),
        checkpoint_signer=CheckpointSigner(database, None, "localhost/log"),
        past=ItemHistory(database),
        past_items=PastItemReader(database),
        live=LiveProjections(PROJECTIONS),
        rebuild_jobs=RebuildJobs(database, _settings.database_url),
        feed=Feed(database, max_streams=0, max_client_streams=1, lifetime=1),
        openapi=openapi_document,
    )


app = create_app(_settings, _services)
freeze_gc()
