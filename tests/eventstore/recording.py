"""Helpers that build events, record them, and read the log."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Table, text

from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.events import Event, ItemChanged, ItemCreated, Metadata, RecordedEvent
from eventstore.item import NoItem, Transition
from eventstore.log.head import read_head
from eventstore.log.transitions import ItemStates
from eventstore.log.unit_of_work import UnitOfWork, unit_of_work
from eventstore.log.write_set import Projector, TableChanges, build
from projections import PROJECTIONS
from projections.live import LiveProjections
from tests.support.fold import assert_log_and_projection_agree
from tests.support.recorded import read_all


def live() -> LiveProjections:
    """Return the service's projections, before they have seen a database."""
    return LiveProjections(PROJECTIONS)


class ProposedEvent(Struct, frozen=True):
    """An event that is not in the log yet."""

    item_id: int
    version: int
    event: Event
    metadata: Metadata
    ordinal: int = 0


def at(position: int, now: int, event: ProposedEvent) -> RecordedEvent:
    """Return an event as the log will hold it."""
    return RecordedEvent(position, event.item_id, event.version, now, event.event, event.metadata, event.ordinal)


def append(
    connection: Connection, events: Sequence[ProposedEvent], now: int = 1, projector: Projector | None = None
) -> list[RecordedEvent]:
    """Append events in the caller's transaction, with `projector` if there is one; time does not go back."""
    return record_in(open_unit(connection, projector), events, now)


def open_unit(connection: Connection, projector: Projector | None = None) -> UnitOfWork:
    """Return the log in the caller's transaction."""
    return UnitOfWork(connection, projector or Unprojected(connection))


def record_in(unit: UnitOfWork, events: Sequence[ProposedEvent], now: int = 1) -> list[RecordedEvent]:
    """Append events in a unit of work. Time does not go back."""
    head, projector = unit.head, unit.projector
    recorded = [
        at(position, max(now, head.recorded_at), event) for position, event in enumerate(events, head.position + 1)
    ]
    if recorded:
        # Without a projection any history goes, also one that cannot be.
        unprojected = isinstance(projector, Unprojected)
        known = [] if unprojected else ItemStates().follow(unit.connection, recorded)
        transitions = known or [Transition(event, NoItem(), NoItem(), 0) for event in recorded]
        unit.write(build(head, transitions, projector))
    return recorded


class Unprojected:
    """A projector of no tables."""

    revision: int | None
    tables: Sequence[Table] = ()

    def __init__(self, connection: Connection | None = None) -> None:
        self.revision = None if connection is None else read_head(connection).tables_revision

    def refresh(self, connection: Connection) -> None:
        with connection.begin():
            self.revision = read_head(connection).tables_revision

    def fold(self, transitions: Sequence[Transition]) -> Sequence[TableChanges]:
        return ()


def proposed(
    item_id: int, version: int, event: Event, command_id: str | None = None, ordinal: int = 0
) -> ProposedEvent:
    """Return an event of a command with a new id, or with the given one."""
    return ProposedEvent(item_id, version, event, Metadata(command_id or f"{item_id}.{version}"), ordinal)


def created(item_id: int, name: str = "Pen", **options: Any) -> ProposedEvent:
    """Return an item's first event."""
    return proposed(item_id, 1, ItemCreated(name, Decimal("1.5"), True), **options)


def changed(item_id: int, version: int, **options: Any) -> ProposedEvent:
    """Return a later event of an item."""
    return proposed(item_id, version, ItemChanged(price=Decimal(version)), **options)


@asynccontextmanager
async def opened(url: str, *, long_running: bool = False) -> AsyncIterator[Database]:
    """Open another database connection, and close it after the block."""
    database = open_database(url, long_running=long_running)
    try:
        yield database
    finally:
        await database.dispose()


async def record(
    database: Database, events: Sequence[ProposedEvent], now: int = 1, projector: Projector | None = None
) -> list[RecordedEvent]:
    """Record events in one unit of work, with the service's projections unless there is a `projector`."""

    def work(connection: Connection) -> list[RecordedEvent]:
        with unit_of_work(connection, projector or live()) as unit:
            return record_in(unit, events, now)

    return await database.write(work)


async def history(database: Database) -> list[RecordedEvent]:
    """Read the whole log."""

    def work(connection: Connection) -> list[RecordedEvent]:
        with connection.begin():
            return read_all(connection)

    return await database.write(work)


async def execute(database: Database, *statements: str) -> None:
    """Run SQL on the write connection, in one transaction."""

    def work(connection: Connection) -> None:
        with connection.begin():
            for statement in statements:
                connection.execute(text(statement))

    await database.write(work)


async def execute_long(database: Database, *statements: str) -> None:
    """Run SQL in one transaction of another connection, without the time limits of requests."""
    url = database.url.render_as_string(hide_password=False)
    no_limit = ["SET LOCAL statement_timeout = 0"] if database.url.get_backend_name() == "postgresql" else []
    async with opened(url, long_running=True) as other:
        await execute(other, *no_limit, *statements)


async def tables(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Read every row of every table, to check that nothing changed."""
    names = ("activity", "alembic_version", "events", "item_versions", "items", "log_head", "log_tiles", "projections")
    return {name: sorted(tuple(row) for row in await database.read(text(f"SELECT * FROM {name}"))) for name in names}


async def assert_still_works(database: Database) -> None:
    """Check that the next unit of work and a read succeed after a failure."""
    position = len(await history(database))
    await record(database, [created(position + 1)])
    assert (await database.read(text("SELECT count(*) FROM items")))[0][0] == position + 1
    await assert_log_and_projection_agree(database)
