"""Work on a test's database that is rolled back, so that many examples can share it."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Table

from eventstore.database.database import Database
from eventstore.events import ItemEvent
from eventstore.log.transitions import ItemStates
from eventstore.log.write_set import RowChanges
from projections.projection import Projection
from projections.rebuild.replay import Folded, write
from projections.rebuild.replay_checkpoint import ReplayCheckpoint


async def rolled_back(database: Database, work: Callable[[Connection], None]) -> None:
    """Run `work` in a transaction, and roll it back."""

    def run(connection: Connection) -> None:
        with connection.begin() as transaction:
            work(connection)
            transaction.rollback()

    await database.write(run)


def apply(connection: Connection, projection: Projection, table: Table, events: Sequence[ItemEvent]) -> RowChanges:
    """Fold events of the log into `table`, which is the fold of the events before them; return the changes."""
    changes = projection.fold(ItemStates().follow(connection, events))
    write(connection, table, Folded(ReplayCheckpoint(), len(events), changes))
    return changes
