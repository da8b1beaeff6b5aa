"""Imports the history of another log into an empty one, from jsonl exports of the whole log.

The import is one transaction, whatever its size: the log and every projection are complete, or nothing is stored. A
half-filled log could not be emptied again, because events cannot be deleted, and a service started on it would append
to it. Both databases spill large transactions to disk; this process holds a few lines in memory.
"""

import asyncio
from collections.abc import Iterable
from itertools import islice

from sqlalchemy import Connection

from api.export.exported_log import LogFiles
from eventstore.database.database import Database
from eventstore.database.session import disable_statement_timeout
from eventstore.errors import TamperedError
from eventstore.log.history_reader import ReportProgress
from eventstore.log.importing import Import
from eventstore.log.unit_of_work import unit_of_work
from eventstore.merkle import tree_head
from eventstore.merkle.tree_head import TreeHead
from projections import PROJECTIONS
from projections.live import LiveProjections

_PAGE_EVENTS = 2_000


async def import_files(
    database: Database, exported: LogFiles, heads: Iterable[TreeHead], tell: ReportProgress
) -> TreeHead:
    """Import `exported` into an empty log and its projections, and return the log's head.

    The log must match `heads` and those of the manifests. The import binds its head: later signatures extend the whole
    imported log, as earlier ones did. A truncated log would get the name of another one, so an import is refused if the
    manifests name more events. Raises TamperedError for the first fault, UnreadableFileError, UnknownEventTypeError,
    CorruptEventError, NotEmptyError, UnavailableError; then nothing is stored.
    """
    cancelled = False

    def work(connection: Connection) -> TreeHead:
        with unit_of_work(connection, LiveProjections(PROJECTIONS)) as unit:
            disable_statement_timeout(connection)
            importing = Import(unit, [*heads, *exported.heads])
            for events in exported:
                if cancelled:
                    raise asyncio.CancelledError
                while page := list(islice(events, _PAGE_EVENTS)):
                    importing.add(page)
                tell(exported.progress())
            head = importing.finish()
            if head.size < exported.size:
                raise TamperedError(head.size + 1, f"it is missing: the log had {exported.size:,} events")
            tree_head.bind(connection, head)
            return head

    try:
        return await database.write(work)
    except asyncio.CancelledError:
        cancelled = True  # the thread of the database may still be at work
        raise
