"""RepairReport one item: its row, and its snapshots, made what the log says."""

from msgspec import Struct
from sqlalchemy import Connection, select

from eventstore.database import table_swap
from eventstore.database.bulk import upsert
from eventstore.database.database import Database
from eventstore.database.failures import commit
from eventstore.database.session import disable_statement_timeout
from eventstore.log import log
from eventstore.log.snapshots import delete
from projections import snapshots
from projections.projection import Projection, projections_table, remove
from projections.rebuild.rebuild_state import Sample
from projections.rebuild.table_reader import Pages, columns_of, values_that_differ


class RepairReport(Struct, frozen=True):
    """What was found of one item, and put right."""

    projection: str
    item_id: int
    #: The log position that the row is of.
    position: int
    #: The values that differed; `rebuilt` is what they are now.
    row: list[Sample]
    #: What differed in snapshots; those were deleted.
    snapshots: list[Sample]
    #: Whether it was put right: not in a dry run.
    mended: bool


class RepairError(Exception):
    """An item can't be mended; the message says why."""


async def mend(database: Database, projection: Projection, item_id: int, *, dry_run: bool = False) -> RepairReport:
    """Fold one item's events, and make its row of `projection` and its snapshots what that tells.

    The append lock is held for as long as it takes to read the item's events. Raises RepairError, UnavailableError, and
    what a fold raises for events that it can't read.
    """
    if not projection.keyed_by_item:
        raise RepairError(f"{projection.name} has no rows of single items: rebuild all of it")
    return await database.write(lambda connection: _mend(connection, projection, item_id, dry_run=dry_run))


def _mend(connection: Connection, projection: Projection, item_id: int, *, dry_run: bool) -> RepairReport:
    table, columns = projection.table, columns_of(projection.table)
    with connection.begin() as transaction:
        disable_statement_timeout(connection)
        head = log.lock_head(connection)
        _check_version(connection, projection)
        events = list(log.read_streams(connection, [item_id], ignore_snapshots=True))
        row = projection.fold(events, {}).get(item_id) if events else None
        live = next(iter(Pages(table, columns).of(connection, [item_id])), None)
        folded = None if row is None else tuple(row[name] for name in columns)
        wrong = [(stored, values) for stored, values in snapshots.check(connection, [item_id]) if values]
        if not events and live is None and not wrong:
            raise RepairError(f"There is no item {item_id}, and never was")
        different = values_that_differ(columns, item_id, live, folded)
        mending = different or wrong
        if different and row is None:
            remove(connection, table, [item_id])
        elif different and row is not None:
            upsert(connection, table, [row])
        delete(connection, (stored for stored, _ in wrong))
        if dry_run or not mending:
            transaction.rollback()
        else:
            commit(transaction)
    in_snapshots = [value for _, values in wrong for value in values]
    return RepairReport(
        projection.name, item_id, head.position, different, in_snapshots, mended=bool(mending) and not dry_run
    )


def _check_version(connection: Connection, projection: Projection) -> None:
    version = connection.scalar(select(projections_table.c.version).where(projections_table.c.name == projection.name))
    if version is None or not table_swap.exists(connection, projection.table.name):
        raise RepairError(f"{projection.name} is not built yet: rebuild all of it")
    if version != projection.version:
        raise RepairError(
            f"{projection.name} is at version {version}, while this version of the code has {projection.version}: "
            "rebuild all of it"
        )
