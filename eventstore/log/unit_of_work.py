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
        """Apply `events`, consecutive in the log, to the read tables."""
        ...


class UnitOfWork:
    """The log while its append lock is held; opened by `unit_of_work`."""

    def __init__(self, connection: Connection, projectors: Sequence[Projector]) -> None:
        self._connection = connection
        self._projectors = projectors
        self.head = log.lock_head(connection)

    def streams(self, item_ids: Iterable[int], through: int = log.END) -> Iterator[RecordedEvent]:
        """Read the streams of items; see log.read_streams."""
        return log.read_streams(self._connection, item_ids, through)

    def commands(self, command_ids: Iterable[str]) -> Iterator[RecordedEvent]:
        """Read the events of commands, in position order."""
        return log.read_commands(self._connection, command_ids)

    def record(self, proposed: Sequence[ProposedEvent], now: int) -> list[RecordedEvent]:
        """Append and project `proposed`; return the recorded events. `now` is in microseconds since the epoch."""
        if not proposed:
            return []
        self.head, recorded = log.append(self._connection, self.head, proposed, now)
        self._project(recorded)
        return recorded

    def append_imported(self, rows: Sequence[Mapping[str, Any]], recorded: Sequence[RecordedEvent]) -> None:
        """Append `rows` of another log unchanged, and project them as `recorded`; see importing.py.

        Raises sqlalchemy.exc.IntegrityError, and then has appended nothing.
        """
        with self._connection.begin_nested():
            self.head = log.extend(self._connection, self.head, rows)
        self._project(recorded)

    def _project(self, recorded: Sequence[RecordedEvent]) -> None:
        for projector in self._projectors:
            projector.project(self._connection, recorded)

    def save_snapshots(self, taken: Sequence[Snapshot]) -> None:
        """Store snapshots."""
        snapshots.save(self._connection, taken)


@contextmanager
def unit_of_work(connection: Connection, projectors: Sequence[Projector]) -> Iterator[UnitOfWork]:
    """Begin a transaction that holds the append lock; commit it when the block ends, roll it back when it raises.

    Raises OutcomeUnknownError where the commit failed, so that it may or may not have taken place.
    """
    transaction = connection.begin()
    try:
        yield UnitOfWork(connection, projectors)
    except BaseException:
        transaction.rollback()
        raise
    commit(transaction)
