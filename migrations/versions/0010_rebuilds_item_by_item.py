"""Where a rebuild is that folds the log item by item.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_COLUMNS = ("base", "item_id", "item_version")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("rebuilds", sa.Column(name, BigInt, nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    # What an interrupted rebuild has folded item by item, older code can't go on with: it starts anew.
    rebuilds = sa.table("rebuilds", sa.column("version"), sa.column("state"))
    op.execute(rebuilds.update().where(rebuilds.c.state != "succeeded").values(version=0))
    for name in _COLUMNS:
        op.drop_column("rebuilds", name)
