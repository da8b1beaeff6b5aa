"""Several write sets in one transaction, for an import. The writer uses Database.append."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from eventstore.database.failures import commit
from eventstore.database.postgresql import writes as postgresql_writes
from eventstore.database.session import lock_for_writing
from eventstore.database.sqlite import writes as sqlite_writes
from eventstore.log import head
from eventstore.log.write_set import Projector, WriteSet


class UnitOfWork:
    """The log while its append lock is held; opened by `unit_of_work`."""

    def __init__(self, connection: Connection, projector: Projector) -> None:
        self.connection = connection
        self.projector = projector
        lock_for_writing(connection, projector.tables)
        self.head = head.lock_head(connection)

    def write(self, write_set: WriteSet) -> None:
        """Write a set that expects the current head. Raises sqlalchemy.exc.IntegrityError."""
        if self.connection.dialect.name == "postgresql":
            text, arguments = postgresql_writes.statement(write_set)
            self.connection.exec_driver_sql(text, tuple(arguments)).one()
        else:
            for text, parameters in sqlite_writes.statements(write_set):
                self.connection.exec_driver_sql(text, tuple(parameters))
        self.head = write_set.head


@contextmanager
def unit_of_work(connection: Connection, projector: Projector) -> Iterator[UnitOfWork]:
    """Begin a transaction that holds the append lock; commit it when the block ends, roll it back when it raises.

    Raises OutcomeUnknownError where the commit failed, so that it may or may not have taken place.
    """
    while True:
        projector.refresh(connection)
        transaction = connection.begin()
        unit = UnitOfWork(connection, projector)
        if unit.head.tables_revision == projector.revision:
            break
        transaction.rollback()  # a rebuild has just swapped a table
    try:
        yield unit
    except BaseException:
        transaction.rollback()
        raise
    commit(transaction)
