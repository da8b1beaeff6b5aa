"""The scheduled verification replaces the background check.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.drop_table("checks")
    op.create_table(
        "verifications",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("started_at", BigInt, nullable=False),
        sa.Column("finished_at", BigInt, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_verifications"),
    )


def downgrade() -> None:
    op.drop_table("verifications")
    op.create_table(
        "checks",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("checked_at", BigInt, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("more", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_checks"),
    )
