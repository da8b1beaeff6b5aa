"""The long-lived parts of a running service, as handlers reach them."""

from msgspec import Struct

from api.auth.authenticator import Authenticator
from api.events.feed import Feed
from api.projections.rebuild_jobs import RebuildJobs
from api.transparency.checkpoint_signer import CheckpointSigner
from commands.writer import Writer
from eventstore.database.database import Database
from eventstore.log.history_reader import HistoryReader
from projections.activity import ActivityReader
from projections.items.history import ItemHistory
from projections.items.past_reader import PastItemReader
from projections.items.reader import ItemReader


class Services(Struct):
    """The long-lived parts of a running service; the composition root in `app.py` makes them."""

    database: Database
    #: The schema revision that this code needs.
    schema_head: str
    authenticator: Authenticator
    writer: Writer
    items: ItemReader
    activity: ActivityReader
    history: HistoryReader
    checkpoint_signer: CheckpointSigner
    past: ItemHistory
    past_items: PastItemReader
    rebuild_jobs: RebuildJobs
    feed: Feed
    #: The OpenAPI document, encoded.
    openapi: bytes
    #: The newest log position that an answer of this process has reflected.
    position: int = 0
