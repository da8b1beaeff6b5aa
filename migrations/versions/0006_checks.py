"""What the background check found of each projection.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
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


def downgrade() -> None:
    op.drop_table("checks")
