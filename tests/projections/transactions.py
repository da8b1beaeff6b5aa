"""Work on a test's database that is rolled back, so that many examples can share it."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.events import ProposedEvent, RecordedEvent
from eventstore.log import log


async def rolled_back(database: Database, work: Callable[[Connection], None]) -> None:
    """Run `work` in a transaction, and roll it back."""

    def run(connection: Connection) -> None:
        with connection.begin() as transaction:
            work(connection)
            transaction.rollback()

    await database.write(run)


def append(connection: Connection, events: Sequence[ProposedEvent], now: int = 1) -> list[RecordedEvent]:
    """Append events to the log, without any projection."""
    return log.append(connection, log.lock_head(connection), events, now)[1]
