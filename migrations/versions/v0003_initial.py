"""The initial schema: the log and its triggers, API keys, and the state of projections, rebuilds and verifications.

Until the first release this file is edited in place, with a new number. From then on it is frozen, and each change is a
new revision. The tables of projections are not here: `migrations.upgrade` creates them for an empty log, and rebuilds
replace them.

Revision ID: v0003
"""

from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, SmallInteger, Text, UniqueConstraint

from migrations import triggers

revision = "v0003"
down_revision = None

BigInt = sa.BigInteger().with_variant(Integer, "sqlite")
_HAS_CREDENTIAL = sa.text("credential IS NOT NULL")
_TABLES = (
    *("events", "log_head", "log_tiles", "log_checkpoint", "snapshots"),
    *("api_keys", "first_api_key", "projections", "rebuilds", "rebuild_requests", "verifications"),
)


def _required(column_type: Any, *names: str) -> list[Column[Any]]:
    return [Column(name, column_type, nullable=False) for name in names]


def upgrade() -> None:
    """Create every table and trigger, and the rows that always exist."""
    op.create_table(
        "events",
        Column("position", BigInt, primary_key=True, autoincrement=False),
        *_required(BigInt, "item_id", "version"),
        *_required(Text, "type", "data"),
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
        Index("ix_events_type_position", "type", "position"),
        Index("ix_events_actor_position", "actor", "position"),
        Index("ix_events_actor_type_position", "actor", "type", "position"),
        Index("ix_events_correlation_id_position", "correlation_id", "position"),
        Index(
            "ix_events_credential_position",
            *("credential", "position"),
            sqlite_where=_HAS_CREDENTIAL,
            postgresql_where=_HAS_CREDENTIAL,
        ),
        sqlite_strict=True,
    )
    triggers.create(op.get_bind(), "events")
    log_head = op.create_table(
        "log_head",
        Column("id", SmallInteger, primary_key=True, autoincrement=False),
        *_required(BigInt, "position", "recorded_at"),
        Column("frontier", LargeBinary, nullable=False),
        Column("tables_revision", BigInt, nullable=False),
        CheckConstraint("id = 1", name="one_row"),
    )
    op.bulk_insert(log_head, [{"id": 1, "position": 0, "recorded_at": 0, "frontier": b"", "tables_revision": 0}])
    op.create_table(
        "log_tiles",
        Column("level", SmallInteger, primary_key=True, autoincrement=False),
        Column("index", BigInt, primary_key=True, autoincrement=False),
        Column("hash", LargeBinary, nullable=False),
    )
    log_checkpoint = op.create_table(
        "log_checkpoint",
        Column("id", SmallInteger, primary_key=True, autoincrement=False),
        Column("size", BigInt, nullable=False),
        Column("root", LargeBinary, nullable=False),
        CheckConstraint("id = 1", name="one_row"),
    )
    # The head of the empty log, which every log extends.
    op.bulk_insert(log_checkpoint, [{"id": 1, "size": 0, "root": sha256().digest()}])
    op.create_table(
        "snapshots",
        Column("item_id", BigInt, primary_key=True, autoincrement=False),
        Column("version", BigInt, primary_key=True, autoincrement=False),
        Column("position", BigInt, nullable=False),
        *_required(Text, "type", "data"),
    )
    op.create_table(
        "api_keys",
        Column("id", Text, primary_key=True),
        Column("digest", LargeBinary, nullable=False),
        Column("original_id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("scopes", Text, nullable=False),
        Column("created_at", BigInt, nullable=False),
        Column("created_by", Text, nullable=False),
        Column("created_by_credential", Text),
        Column("expires_at", BigInt),
        Column("revoked_at", BigInt),
        Column("revoked_by", Text),
        Column("revoked_by_credential", Text),
        Column("replaced_by", Text),
        Column("last_used_at", BigInt),
        Column("revision", Integer, nullable=False),
        UniqueConstraint("name", "generation"),
        CheckConstraint("length(digest) = 32", name="digest"),
    )
    op.create_table(
        "first_api_key",
        Column("id", SmallInteger, primary_key=True, autoincrement=False),
        Column("created_at", BigInt, nullable=False),
        CheckConstraint("id = 1", name="one_row"),
    )
    for table in ("api_keys", "first_api_key"):
        triggers.create(op.get_bind(), table)
    op.create_table(
        "projections",
        Column("name", Text, primary_key=True),
        Column("version", Integer, nullable=False),
    )
    op.create_table(
        "rebuilds",
        Column("name", Text, primary_key=True),
        Column("run", Text, nullable=False),
        Column("version", Integer, nullable=False),
        *_required(Text, "code", "state", "phase"),
        *_required(BigInt, "position", "target"),
        Column("rate", sa.Float, nullable=False),
        *_required(BigInt, "started_at", "updated_at"),
        Column("cancelled", sa.Boolean, nullable=False),
        Column("failure", Text),
        Column("report", Text),
        *_required(BigInt, "base", "item_id", "item_version"),
    )
    op.create_table(
        "rebuild_requests",
        Column("name", Text, primary_key=True),
        *_required(Text, "run", "state"),
        *_required(BigInt, "requested_at", "updated_at"),
        Column("failure", Text),
    )
    op.create_table(
        "verifications",
        Column("name", Text, primary_key=True),
        *_required(BigInt, "started_at", "finished_at"),
        Column("verdict", Text, nullable=False),
    )


def downgrade() -> None:
    """Remove everything, the log and the tables of projections included."""
    projections = sa.table("projections", sa.column("name"))
    for name in [*op.get_bind().execute(sa.select(projections.c.name)).scalars(), *_TABLES]:
        op.drop_table(name)
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {', '.join(f'{function.name}()' for function in triggers.FUNCTIONS)}")
