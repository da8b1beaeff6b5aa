"""The log, its head and tiles, and the `items` projection.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create everything, and the rows that are always there."""
    events = op.create_table(
        "events",
        sa.Column("position", BigInt, autoincrement=False, nullable=False),
        sa.Column("item_id", BigInt, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("recorded_at", BigInt, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("command_id", sa.Text, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("correlation_id", sa.Text),
        sa.Column("causation_id", sa.Text),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_events"),
        sa.UniqueConstraint("item_id", "version", name="uq_events_item_id_version"),
        sa.UniqueConstraint("command_id", "ordinal", name="uq_events_command_id_ordinal"),
        sa.CheckConstraint("position > 0", name=op.f("ck_events_position")),
        sa.CheckConstraint("version > 0", name=op.f("ck_events_version")),
        sa.CheckConstraint("length(leaf_hash) = 32", name=op.f("ck_events_leaf_hash")),
        sa.CheckConstraint("length(fingerprint) = 32", name=op.f("ck_events_fingerprint")),
        sqlite_strict=True,
    )
    assert events is not None
    for statement in _APPEND_ONLY[op.get_context().dialect.name]:
        op.execute(statement)
    log_head = op.create_table(
        "log_head",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("recorded_at", BigInt, nullable=False),
        sa.Column("frontier", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
        sa.CheckConstraint("id = 1", name=op.f("ck_log_head_one_row")),
    )
    op.bulk_insert(log_head, [{"id": 1, "position": 0, "recorded_at": 0, "frontier": b""}])
    op.create_table(
        "log_tiles",
        sa.Column("level", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("index", BigInt, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name="pk_log_tiles"),
    )
    checkpoints = op.create_table(
        "projections",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_projections"),
    )
    op.bulk_insert(checkpoints, [{"name": "items", "version": 1, "position": 0}])
    op.create_table(
        "items",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("price", BigInt, nullable=False),
        sa.Column("in_stock", sa.Boolean, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.CheckConstraint("version > 0", name=op.f("ck_items_version")),
    )


def downgrade() -> None:
    """Remove everything, the log included."""
    for table in ("items", "projections", "log_tiles", "log_head", "events"):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION events_append_only()")


_APPEND_ONLY = {
    "sqlite": (
        "CREATE TRIGGER events_no_update BEFORE UPDATE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events is append-only'); END",
        "CREATE TRIGGER events_no_delete BEFORE DELETE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'events is append-only' USING ERRCODE = 'restrict_violation'; END $$",
        "CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE ON events "
        "FOR EACH ROW EXECUTE FUNCTION events_append_only()",
        "CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()",
        # ALWAYS, so that session_replication_role = replica does not walk past them.
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change",
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_truncate",
    ),
}
