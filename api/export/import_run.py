"""Brings the history of another log into an empty one, from jsonl exports of all of it.

It is one transaction, whatever the size: the log and every projection are there whole, or nothing is. A log that was
half filled could not be emptied again, since its events can't be deleted, and a service that was started on it would go
on from there. Both databases write to disk what they can't hold in memory; this holds some lines of the files.
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

#: Events that are written at a time.
_PAGE = 2_000


async def import_files(
    database: Database, exported: LogFiles, known: Iterable[TreeHead], tell: ReportProgress
) -> TreeHead:
    """Bring the events of `exported` into an empty log and its projections; give the log's head.

    `known` are heads that the log must have had, beside those of the manifests. What is signed from then on extends the
    log as it was brought, as what was signed before did: by a log that is cut short another one would get its name, so
    none is brought of which the manifests know more. Raises TamperedError for the first thing that is wrong,
    UnreadableFileError, UnknownEventTypeError, CorruptEventError, NotEmptyError, UnavailableError;
    and has kept nothing then.
    """
    stopped = False

    def work(connection: Connection) -> TreeHead:
        with unit_of_work(connection, [LiveProjections(PROJECTIONS)]) as unit:
            disable_statement_timeout(connection)
            taking = Import(unit, [*known, *exported.heads])
            for events in exported:
                if stopped:
                    raise asyncio.CancelledError
                while page := list(islice(events, _PAGE)):
                    taking.add(page)
                tell(exported.progress())
            head = taking.finish()
            if head.size < exported.size:
                raise TamperedError(head.size + 1, f"it is missing: the log had {exported.size:,} events")
            tree_head.bind(connection, head)
            return head

    try:
        return await database.write(work)
    except asyncio.CancelledError:
        stopped = True  # it may go on in a thread
        raise
