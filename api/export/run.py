"""Exports the log: page by page, by position, with no transaction open between two pages.

Positions never change, so what is read later is what would have been read at first. One long transaction would keep the
database from clearing away what it replaces meanwhile: SQLite's write-ahead log, PostgreSQL's dead rows.
"""

from collections.abc import Callable
from functools import partial
from time import monotonic

import msgspec
from sqlalchemy import Connection

from api.export.formats import Encoder
from api.export.manifest import Manifest, Order, Tree
from api.export.output import File, Plan, Target, TargetError
from eventstore.database.database import Database
from eventstore.log.history import Filter
from eventstore.log.history_reader import HistoryReader, Progress, ReportProgress
from eventstore.merkle import tree

#: Events of one page.
_PAGE = 2_000


async def plan(
    database: Database, order: Order, chosen: Filter, *, since: int | None = None, until: int | None = None
) -> Plan:
    """Settle what an export is of: `chosen`, recorded from `since` to `until`, whatever is appended from now on.

    Times are in microseconds since the epoch, both included. Raises InconsistentLogError, UnavailableError.
    """
    position, so_far = await HistoryReader(database).bounds(chosen, since=since, until=until)
    return Plan(order, so_far, await database.read_transaction(partial(_tree, size=position)))


async def export_file(
    database: Database, encoder: Callable[[bool], Encoder], file: File, tell: ReportProgress
) -> Manifest:
    """Export what `file` is planned to be of, from where it was left, and give its manifest.

    `encoder` makes one that goes on behind events written before, or does not. However this is interrupted, a later
    call with the file opened anew goes on. Raises TargetError where the database has not the log that was planned for,
    InconsistentLogError, UnavailableError, OSError.
    """
    assert file.plan is not None
    if await database.read_transaction(partial(_tree, size=file.plan.log.size)) != file.plan.log:
        raise TargetError("It was begun of another log, or of more of this one; --from-scratch starts anew")
    encoding = encoder(file.written.count > 0)
    try:
        await _export(database, encoding, file.plan.chosen, file, tell)
    finally:
        file.note()
    return file.finish(encoding.end())


async def export_stream(
    database: Database, encoder: Encoder, chosen: Filter, target: Target, tell: ReportProgress
) -> None:
    """Export `chosen`, which is between two positions, into a stream. Raises TargetError, UnavailableError, OSError."""
    await _export(database, encoder, chosen, target, tell)
    target.write(encoder.end())


def _tree(connection: Connection, size: int) -> Tree:
    """Give the log's tree as it was at `size`, or as it is where the log is not that long."""
    now = tree.Tree(connection)
    reached = min(size, now.size)
    return Tree(reached, now.root(reached).hex())


async def _export(database: Database, encoder: Encoder, chosen: Filter, target: Target, tell: ReportProgress) -> None:
    written = target.written
    rest = chosen if written.last is None else msgspec.structs.replace(chosen, after=written.last)
    if not written.bytes:
        target.write(encoder.begin())
    end, began = chosen.before - 1, monotonic()
    async for events in HistoryReader(database).pages(rest, _PAGE):
        target.write(encoder.page(events), events)
        position = events[-1].position
        rate = (position - rest.after) / max(monotonic() - began, 1e-6)
        tell(Progress(position, end, rate))
    _check_whole(chosen, target.written.count)


def _check_whole(chosen: Filter, count: int) -> None:
    """Raise TargetError where so many events can't be all of `chosen`: positions have no gap."""
    expected = max(chosen.before - 1 - chosen.after, 0)
    if chosen == Filter(after=chosen.after, before=chosen.before) and count != expected:
        raise TargetError(f"{expected:,} events were to be exported, and {count:,} were there: the log has lost events")
