"""The tables of the log.

Triggers in `migrations/` refuse UPDATE, DELETE and TRUNCATE, and events with a time that RFC 3339 can't write.
"""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

#: Constraint names are the same on both databases, so that migrations can name them and errors can be told apart.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: 64 bits on both databases. SQLite's integers always are, and only a column declared INTEGER can be the rowid.
BigInt = sa.BigInteger().with_variant(Integer, "sqlite")


def required(column_type: Any, *names: str) -> list[Column[Any]]:
    """Return columns of one type that are not nullable."""
    return [Column(name, column_type, nullable=False) for name in names]


def key_of(table: Table) -> Column[Any]:
    """Return the single integer column that is the key of a projection's table."""
    (key,) = table.primary_key
    return key


@cache
def can_add(table: Table) -> bool:
    """Return whether all columns of `table` are numbers, so that a row can be added to another."""
    return all(isinstance(column.type, Integer) for column in table.c)


_HAS_CREDENTIAL = sa.text("credential IS NOT NULL")

events = Table(
    "events",
    metadata,
    Column("position", BigInt, primary_key=True, autoincrement=False),
    *required(BigInt, "item_id", "version"),
    *required(Text, "type", "data"),
    Column("recorded_at", BigInt, nullable=False),
    Column("actor", Text, nullable=False),
    Column("credential", Text),
    Column("command_id", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("correlation_id", Text),
    Column("causation_id", Text),
    Column("leaf_hash", LargeBinary, nullable=False),
    UniqueConstraint("item_id", "version"),
    UniqueConstraint("command_id", "ordinal"),
    CheckConstraint("position > 0", name="position"),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint("length(leaf_hash) = 32", name="leaf_hash"),
    CheckConstraint("length(fingerprint) = 32", name="fingerprint"),
    # Finds the types in the log, and where each begins, without reading every event; see `event_type_check.py`.
    Index("ix_events_type_position", "type", "position"),
    # For the filters of `history.py`.
    Index("ix_events_actor_position", "actor", "position"),
    Index("ix_events_actor_type_position", "actor", "type", "position"),
    Index("ix_events_correlation_id_position", "correlation_id", "position"),
    # Partial: events of anonymous clients have no entry.
    Index(
        "ix_events_credential_position",
        *("credential", "position"),
        sqlite_where=_HAS_CREDENTIAL,
        postgresql_where=_HAS_CREDENTIAL,
    ),
    sqlite_strict=True,
)

#: One row: the end of the log, and the tree's frontier there (32 bytes a hash, left to right). `tables_revision` counts
#: the changes of the tables of projections; see `head.py`.
log_head = Table(
    "log_head",
    metadata,
    Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    *required(BigInt, "position", "recorded_at"),
    Column("frontier", LargeBinary, nullable=False),
    Column("tables_revision", BigInt, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

#: The root of every complete subtree of 256**level leaves, so that a proof reads a few hundred hashes, not the log.
log_tiles = Table(
    "log_tiles",
    metadata,
    Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInt, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

#: One row: the last tree head that was signed as a checkpoint. No later checkpoint may contradict it.
log_checkpoint = Table(
    "log_checkpoint",
    metadata,
    Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInt, nullable=False),
    Column("root", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

#: The state of an item at a version, as one event; see `snapshots.py`.
snapshots = Table(
    "snapshots",
    metadata,
    Column("item_id", BigInt, primary_key=True, autoincrement=False),
    Column("version", BigInt, primary_key=True, autoincrement=False),
    #: The position of the event that has this version.
    Column("position", BigInt, nullable=False),
    *required(Text, "type", "data"),
)
