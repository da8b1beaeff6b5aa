"""The last head of the log that was signed.

Revision ID: 0009
"""

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table, with the head of the empty log, which every log extends."""
    log_checkpoint = op.create_table(
        "log_checkpoint",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("size", BigInt, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_checkpoint"),
        sa.CheckConstraint("id = 1", name=op.f("ck_log_checkpoint_one_row")),
    )
    op.bulk_insert(log_checkpoint, [{"id": 1, "size": 0, "root": sha256().digest()}])


def downgrade() -> None:
    op.drop_table("log_checkpoint")
