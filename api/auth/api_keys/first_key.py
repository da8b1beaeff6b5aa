"""Whether the database ever had an API key: from the first one on, requests need a credential.

It is a row of its own, which is written with the first key and never changed. So a table of keys that was emptied by
hand does not admit requests without a credential again.
"""

from sqlalchemy import Connection, text
from sqlalchemy.schema import CheckConstraint, Column, Table
from sqlalchemy.types import SmallInteger

from eventstore.log.tables import BigInt, metadata

first_api_key = Table(
    "first_api_key",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("created_at", BigInt, nullable=False),  # in microseconds since the epoch, UTC
    CheckConstraint("id = 1", name="one_row"),
)

# Where another transaction is about to write the row, this waits for its end.
_WRITE = text("INSERT INTO first_api_key (id, created_at) VALUES (1, :moment) ON CONFLICT DO NOTHING")


def note_key(connection: Connection, moment: int) -> bool:
    """Record, in the transaction that creates a key, that the database has had one; return whether it is the first."""
    return connection.execute(_WRITE, {"moment": moment}).rowcount == 1
