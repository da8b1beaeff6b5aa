"""Repair one item from the log: its row and its snapshots."""

from msgspec import Struct
from sqlalchemy import Connection, select

from eventstore.database import table_swap
from eventstore.database.bulk import upsert
from eventstore.database.database import Database
from eventstore.database.failures import commit
from eventstore.database.session import disable_statement_timeout, lock_for_writing
from eventstore.log.head import lock_head
from eventstore.log.snapshots import delete
from eventstore.log.streams import read_streams
from eventstore.log.transitions import ItemStates
from projections import snapshots
from projections.projection import Projection, projections_table, remove
from projections.rebuild.rebuild_state import Sample
from projections.rebuild.table_reader import Pages, columns_of, values_that_differ


class RepairReport(Struct, frozen=True):
    """What differed for one item, and whether it was repaired."""

    projection: str
    item_id: int
    #: The log's position when the item was compared.
    position: int
    #: The values that differed; `rebuilt` is the value according to the log.
    row: list[Sample]
    #: The values that differed in snapshots. A repair deletes those snapshots.
    snapshots: list[Sample]
    #: Whether anything was repaired; never in a dry run.
    mended: bool


class RepairError(Exception):
    """An item cannot be repaired; the message says why."""


async def repair(database: Database, projection: Projection, item_id: int, *, dry_run: bool = False) -> RepairReport:
    """Fold one item's events, then correct its row in `projection` and delete its wrong snapshots.

    Holds the append lock while it reads the item's events. Raises RepairError, UnavailableError, and what a fold raises
    for events that it cannot read.
    """
    if not projection.keyed_by_item:
        raise _rebuild_instead(projection, "has no rows of single items")
    return await database.write(lambda connection: _repair(connection, projection, item_id, dry_run=dry_run))


def _repair(connection: Connection, projection: Projection, item_id: int, *, dry_run: bool) -> RepairReport:
    table, columns = projection.table, columns_of(projection.table)
    with connection.begin() as transaction:
        disable_statement_timeout(connection)
        if table_swap.exists(connection, table.name):
            lock_for_writing(connection, [table])
        head = lock_head(connection)
        _check_version(connection, projection)
        events = list(read_streams(connection, [item_id], ignore_snapshots=True))
        row = projection.fold(ItemStates().follow(connection, events)).of_empty_table(item_id)
        live = next(iter(Pages(table, columns).of(connection, [item_id])), None)
        folded = None if row is None else tuple(row[name] for name in columns)
        wrong = [(stored, values) for stored, values in snapshots.check(connection, [item_id]) if values]
        if not events and live is None and not wrong:
            raise RepairError(f"Item {item_id} does not exist and never existed")
        different = values_that_differ(columns, item_id, live, folded)
        differs = bool(different or wrong)
        if different and row is None:
            remove(connection, table, [item_id])
        elif different and row is not None:
            upsert(connection, table, [row])
        delete(connection, (stored for stored, _ in wrong))
        if dry_run or not differs:
            transaction.rollback()
        else:
            commit(transaction)
    in_snapshots = [value for _, values in wrong for value in values]
    return RepairReport(projection.name, item_id, head.position, different, in_snapshots, differs and not dry_run)


def _check_version(connection: Connection, projection: Projection) -> None:
    version = connection.scalar(select(projections_table.c.version).where(projections_table.c.name == projection.name))
    if version is None or not table_swap.exists(connection, projection.table.name):
        raise _rebuild_instead(projection, "is not built yet")
    if version != projection.version:
        reason = f"is at version {version}, while this version of the code has {projection.version}"
        raise _rebuild_instead(projection, reason)


def _rebuild_instead(projection: Projection, reason: str) -> RepairError:
    return RepairError(f"{projection.name} {reason}: run `itemledger rebuild {projection.name}`")
