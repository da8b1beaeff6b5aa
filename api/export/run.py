"""Runs an export page by page, by position, with no transaction open between two pages.

Positions never change, so a later read returns what an earlier one would have. One long transaction would keep the
database from reclaiming space: SQLite's write-ahead log, PostgreSQL's dead rows.
"""

from collections.abc import Callable
from functools import partial
from time import monotonic

import msgspec
from sqlalchemy import Connection

from api.export.encoder import Encoder
from api.export.manifest import ExportRequest, LogHead, Manifest
from api.export.output import FileOutput, OutputError, Plan, StreamOutput
from eventstore.database.database import Database
from eventstore.log.history import Filter
from eventstore.log.history_reader import HistoryReader, Progress, ReportProgress
from eventstore.merkle import tree

_PAGE_EVENTS = 2_000


async def plan(
    database: Database, request: ExportRequest, filter: Filter, *, since: int | None = None, until: int | None = None
) -> Plan:
    """Fix what an export contains: the events of `filter` recorded from `since` to `until`, but no later appends.

    Both times are inclusive, in microseconds since the epoch. Raises InconsistentLogError, UnavailableError.
    """
    position, bounded = await HistoryReader(database).bounds(filter, since=since, until=until)
    return Plan(request, bounded, await database.read_transaction(partial(_head, size=position)))


async def export_file(
    database: Database, encoder: Callable[[bool], Encoder], file: FileOutput, tell: ReportProgress
) -> Manifest:
    """Write or resume the planned export of `file`, and return its manifest.

    `encoder` builds an encoder for a resumed (true) or a new export. An interrupted export resumes when the file is
    opened again. Raises OutputError if the database does not have the planned log, InconsistentLogError,
    UnavailableError, OSError.
    """
    assert file.plan is not None
    if await database.read_transaction(partial(_head, size=file.plan.log.size)) != file.plan.log:
        raise OutputError(
            "Cannot resume: the file was begun from another log, or from more of this one. "
            "Pass --from-scratch to start again"
        )
    encoding = encoder(file.written.count > 0)
    try:
        await _export(database, encoding, file.plan.filter, file, tell)
    finally:
        file.save_state()
    return file.finish(encoding.end())


async def export_stream(
    database: Database, encoder: Encoder, bounded: Filter, output: StreamOutput, tell: ReportProgress
) -> None:
    """Write the events of a planned filter to a stream. Raises OutputError, UnavailableError, OSError."""
    await _export(database, encoder, bounded, output, tell)
    output.write(encoder.end())


def _head(connection: Connection, size: int) -> LogHead:
    """Return the log's head at `size`, or now if the log is shorter."""
    now = tree.Tree(connection)
    reached = min(size, now.size)
    return LogHead(reached, now.root(reached).hex())


async def _export(
    database: Database, encoder: Encoder, bounded: Filter, output: StreamOutput, tell: ReportProgress
) -> None:
    last = output.written.last
    rest = bounded if last is None else msgspec.structs.replace(bounded, after=last)
    if not output.written.bytes:
        output.write(encoder.begin())
    end, started_at = bounded.before - 1, monotonic()
    async for events in HistoryReader(database).pages(rest, _PAGE_EVENTS):
        output.write(encoder.page(events), events)
        position = events[-1].position
        tell(Progress(position, end, (position - rest.after) / max(monotonic() - started_at, 1e-6)))
    # Positions have no gap, so without other filters the number of events is known.
    expected, count = max(end - bounded.after, 0), output.written.count
    if bounded == Filter(after=bounded.after, before=bounded.before) and count != expected:
        raise OutputError(f"Expected {expected:,} events but found {count:,}: the log has lost events")
