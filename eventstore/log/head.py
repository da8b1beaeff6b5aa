"""The end of the log: the one row of `log_head`, which is also the append lock."""

from msgspec import Struct
from sqlalchemy import Connection, Row, select, update

from eventstore.log.tables import log_head
from eventstore.merkle import hashing

#: Greater than every position.
END = 2**63 - 1


class Head(Struct, frozen=True):
    """The end of the log."""

    #: The last event's position, which is also the number of events and of the tree's leaves.
    position: int
    #: The last event's time, in microseconds since the epoch, UTC.
    recorded_at: int
    frontier: hashing.Frontier
    #: How often the tables of projections, or their versions, have changed. A process that knows them at one revision
    #: must not write to them at another.
    tables_revision: int = 0


COLUMNS = (log_head.c.position, log_head.c.recorded_at, log_head.c.frontier, log_head.c.tables_revision)
_HEAD = select(*COLUMNS).where(log_head.c.id == 1)
_LOCK = _HEAD.with_for_update()
#: The last event's position, read without the append lock, so the log may already have grown.
POSITION = select(log_head.c.position).where(log_head.c.id == 1)
_NEXT_REVISION = update(log_head).where(log_head.c.id == 1).values(tables_revision=log_head.c.tables_revision + 1)


def of_row(position: int, recorded_at: int, frontier: bytes, tables_revision: int) -> Head:
    """Return the head that a row of COLUMNS holds."""
    return Head(position, recorded_at, hashing.unpack(frontier), tables_revision)


def lock_head(connection: Connection) -> Head:
    """Take the append lock until the transaction ends, and return the log's head as the last appender left it.

    Under READ COMMITTED a transaction that waited for the row reads the new row, and its later statements see what was
    committed meanwhile. SQLite has no such clause, but BEGIN IMMEDIATE already took the lock. On PostgreSQL the caller
    locks every table that it will write first: writers take these locks in the same order, before they wait here.
    """
    return _head(connection.execute(_LOCK).one())


def read_head(connection: Connection) -> Head:
    """Return the log's head, read without the append lock, so the log may already have grown."""
    return _head(connection.execute(_HEAD).one())


def head_position(connection: Connection) -> int:
    """Return the last event's position, read without the append lock, so the log may already have grown."""
    return int(connection.execute(POSITION).scalar_one())


def note_changed_tables(connection: Connection) -> None:
    """Record that the tables of projections change in this transaction, so that every writer looks at them again."""
    connection.execute(_NEXT_REVISION)


def _head(row: Row[int, int, bytes, int]) -> Head:
    return of_row(*row)
