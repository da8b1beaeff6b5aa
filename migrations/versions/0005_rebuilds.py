"""What is known of each projection's last rebuild.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "rebuilds",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("position", BigInt, nullable=False),
        sa.Column("target", BigInt, nullable=False),
        sa.Column("rate", sa.Float, nullable=False),
        sa.Column("started_at", BigInt, nullable=False),
        sa.Column("updated_at", BigInt, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("failure", sa.Text),
        sa.Column("report", sa.Text),
        sa.PrimaryKeyConstraint("name", name="pk_rebuilds"),
    )


def downgrade() -> None:
    op.drop_table("rebuilds")
    # Before, a projection was a table that a migration made: `items`. Older code refuses to run beside others.
    projections = sa.table("projections", sa.column("name"))
    others = sa.select(projections.c.name).where(projections.c.name != "items")
    for name in op.get_bind().execute(others).scalars().all():
        op.drop_table(name)
    op.execute(projections.delete().where(projections.c.name != "items"))
