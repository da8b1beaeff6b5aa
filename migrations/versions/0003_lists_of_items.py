"""What lists of items are sorted and searched by: version 2 of the `items` projection.

The rows are copied, not folded anew: what they gain follows from the name they have.

Revision ID: 0003
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ROWS_AT_ONCE = 1000


def upgrade() -> None:
    _replace(
        2,
        lambda: op.create_table(
            "items",
            sa.Column("id", BigInt, autoincrement=False, nullable=False),
            sa.Column("name", sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql"), nullable=False),
            sa.Column("price", BigInt, nullable=False),
            sa.Column("in_stock", sa.Boolean, nullable=False),
            sa.Column("version", BigInt, nullable=False),
            sa.Column("name_folded", sa.Text, nullable=False),
            sa.PrimaryKeyConstraint("id", name="pk_items"),
            sa.CheckConstraint("version > 0", name=op.f("ck_items_version")),
        ),
    )
    op.create_index("ix_items_name_id", "items", ["name", "id"])
    op.create_index("ix_items_price_id", "items", ["price", "id"])


def downgrade() -> None:
    op.drop_index("ix_items_price_id", "items")
    op.drop_index("ix_items_name_id", "items")
    _replace(
        1,
        lambda: op.create_table(
            "items",
            sa.Column("id", BigInt, autoincrement=False, nullable=False),
            sa.Column("name", sa.String(255), nullable=False),
            sa.Column("price", BigInt, nullable=False),
            sa.Column("in_stock", sa.Boolean, nullable=False),
            sa.Column("version", BigInt, nullable=False),
            sa.PrimaryKeyConstraint("id", name="pk_items"),
            sa.CheckConstraint("version > 0", name=op.f("ck_items_version")),
        ),
    )


def _replace(version: int, create: Callable[[], sa.Table]) -> None:
    """Put a new table in the place of `items`, with its rows. SQLite can't change a table's columns as we need it."""
    connection = op.get_bind()
    op.rename_table("items", "items_before")
    if connection.dialect.name == "postgresql":  # there the name of a key is one for the whole schema
        op.execute("ALTER TABLE items_before RENAME CONSTRAINT pk_items TO pk_items_before")
    new = create()
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in ("id", "name", "price", "in_stock", "version")]
    before = sa.table("items_before", *columns)
    last = 0
    while (
        rows := connection.execute(
            sa.select(before).where(before.c.id > last).order_by(before.c.id).limit(_ROWS_AT_ONCE)
        )
        .mappings()
        .all()
    ):
        last = rows[-1]["id"]
        folded = [{**row, "name_folded": row["name"].casefold()} for row in rows]
        connection.execute(new.insert(), folded if "name_folded" in new.c else [dict(row) for row in rows])
    op.drop_table("items_before")
    projections = sa.table("projections", sa.column("name"), sa.column("version"))
    op.execute(projections.update().where(projections.c.name == "items").values(version=version))
