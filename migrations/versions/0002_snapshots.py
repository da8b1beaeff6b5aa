"""Snapshots of items, so that a long stream costs a command no more than a short one.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("item_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("version", BigInt, autoincrement=False, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("item_id", "version", name="pk_snapshots"),
    )


def downgrade() -> None:
    op.drop_table("snapshots")
