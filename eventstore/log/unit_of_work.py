"""One write transaction: lock the log, read its head, append, project, move the head; all or nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection

from eventstore.database.failures import commit
from eventstore.events import ProposedEvent, RecordedEvent
from eventstore.log import log, snapshots
from eventstore.log.snapshots import Snapshot


class Projector(Protocol):
    """Keeps read tables in step with the log, inside the transaction that appends."""

    def project(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        """Fold `events`, a run of the log without a gap, into the read tables."""
        ...


class UnitOfWork:
    """The log while its append lock is held; make one with `unit_of_work`."""

    def __init__(self, connection: Connection, projectors: Sequence[Projector]) -> None:
        self._connection = connection
        self._projectors = projectors
        self.head = log.lock_head(connection)

    def streams(self, item_ids: Iterable[int], through: int = log.END) -> Iterator[RecordedEvent]:
        """Read what the given items come from; see log.read_streams."""
        return log.read_streams(self._connection, item_ids, through)

    def commands(self, command_ids: Iterable[str]) -> Iterator[RecordedEvent]:
        """Read the events that the given commands have recorded, in position order."""
        return log.read_commands(self._connection, command_ids)

    def record(self, proposed: Sequence[ProposedEvent], now: int) -> list[RecordedEvent]:
        """Append `proposed`, project them, and give them as recorded. `now`: microseconds since the epoch."""
        if not proposed:
            return []
        self.head, recorded = log.append(self._connection, self.head, proposed, now)
        self._project(recorded)
        return recorded

    def take_over(self, rows: Sequence[Mapping[str, Any]], recorded: Sequence[RecordedEvent]) -> None:
        """Append `rows` of another log as they are, and project them, who are `recorded`; see importing.py.

        Raises sqlalchemy.exc.IntegrityError, and has appended nothing then.
        """
        with self._connection.begin_nested():
            self.head = log.extend(self._connection, self.head, rows)
        self._project(recorded)

    def _project(self, recorded: Sequence[RecordedEvent]) -> None:
        for projector in self._projectors:
            projector.project(self._connection, recorded)

    def keep(self, taken: Sequence[Snapshot]) -> None:
        """Store snapshots."""
        if taken:
            snapshots.keep(self._connection, taken)


@contextmanager
def unit_of_work(connection: Connection, projectors: Sequence[Projector]) -> Iterator[UnitOfWork]:
    """Begin a transaction that holds the append lock; commit it when the block ends, roll it back when it raises.

    Raises OutcomeUnknownError where the commit itself failed, so that it may or may not have taken place.
    """
    transaction = connection.begin()
    try:
        yield UnitOfWork(connection, projectors)
    except BaseException:
        transaction.rollback()
        raise
    commit(transaction)
