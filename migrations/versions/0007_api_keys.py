"""API keys: who has one, for what, until when.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", BigInt, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", BigInt),
        sa.Column("revoked_at", BigInt),
        sa.Column("revoked_by", sa.Text),
        sa.Column("replaced_by", sa.Text),
        sa.Column("last_used_at", BigInt),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("name", "generation", name="uq_api_keys_name_generation"),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_api_keys_digest")),
    )


def downgrade() -> None:
    op.drop_table("api_keys")
