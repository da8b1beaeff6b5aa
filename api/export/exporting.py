"""Exports the log: page by page, by position, with no transaction open between two pages.

Positions never change, so what is read later is what would have been read at first. One long transaction would keep the
database from clearing away what it replaces meanwhile: SQLite's write-ahead log, PostgreSQL's dead rows.
"""

from collections.abc import AsyncIterator, Callable
from time import monotonic

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from api.export.formats import Encoder, Format
from api.export.manifest import Manifest, Order, Tree
from api.export.target import File, Plan, Target
from eventstore import history, log, merkle
from eventstore.database import Database
from eventstore.history import Filter, StoredEvent

#: Events of one page.
_PAGE = 2_000


class Progress(Struct, frozen=True):
    """How far an export has come."""

    #: The events that were written.
    count: int
    #: The position in the log that it is at, and the one that it goes up to.
    position: int
    target: int
    #: Positions a second, in this run.
    rate: float
    #: Seconds until the end, at that rate; None where that is not known.
    eta: float | None


Tell = Callable[[Progress], None]


async def plan(database: Database, order: Order, chosen: Filter) -> Plan:
    """Settle what an export is of: `chosen` as of now, whatever is appended meanwhile. Raises UnavailableError."""
    head = await database.view(log.read_head)
    until = msgspec.structs.replace(chosen, before=min(chosen.before, head.position + 1))
    return Plan(order, until, Tree(head.position, merkle.root(head.frontier).hex()))


async def export_file(
    database: Database, format: Format, order: Order, chosen: Filter, file: File, tell: Tell
) -> Manifest:
    """Export what `chosen` says into `file`, from where it was left, and give its manifest.

    However it is interrupted, a later call with the file opened anew goes on. Raises UnavailableError, OSError.
    """
    if file.plan is None:
        file.begin(await plan(database, order, chosen))
    assert file.plan is not None
    encoder = format.encoder(file.written.count > 0)
    try:
        await _export(database, encoder, file.plan.chosen, file, tell)
    finally:
        file.note()
    return file.finish(encoder.end())


async def export_stream(database: Database, format: Format, chosen: Filter, target: Target, tell: Tell) -> None:
    """Export what `chosen` says into a stream. Raises UnavailableError, OSError."""
    encoder = format.encoder(False)
    await _export(database, encoder, chosen, target, tell)
    target.write(encoder.end())


async def _export(database: Database, encoder: Encoder, chosen: Filter, target: Target, tell: Tell) -> None:
    written = target.written
    if written.last is not None:
        chosen = msgspec.structs.replace(chosen, after=written.last)
    if not written.bytes:
        target.write(encoder.begin())
    end, began = chosen.before - 1, monotonic()
    async for events in pages(database, chosen, _PAGE):
        target.write(encoder.page(events), events)
        position = events[-1].position
        rate = (position - chosen.after) / max(monotonic() - began, 1e-6)
        tell(Progress(target.written.count, position, end, round(rate), (end - position) / rate if rate else None))


async def pages(database: Database, chosen: Filter, size: int) -> AsyncIterator[list[StoredEvent]]:
    """Read the events `chosen`, in position order, at most `size` of them a page. Raises UnavailableError."""

    def read(connection: Connection) -> list[StoredEvent]:
        return list(history.read(connection, chosen, size))

    while events := await database.view(read):
        yield events
        chosen = msgspec.structs.replace(chosen, after=events[-1].position)
