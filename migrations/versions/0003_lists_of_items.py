"""What lists of items are sorted and searched by: version 2 of the `items` projection.

The rows are kept, not folded anew: what they gain follows from the name they have.

Revision ID: 0003
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_KEPT = ("id", "name", "price", "in_stock", "version")
_ROWS_AT_ONCE = 1000


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        # In place, so that the rights that were given on the table stay.
        op.add_column("items", sa.Column("name_folded", sa.Text))
        _fold_in_place()
        op.alter_column("items", "name_folded", nullable=False)
        op.alter_column("items", "name", type_=sa.String(255, collation="C"))
    else:
        # SQLite can't change a table's columns as we need it.
        op.rename_table("items", "items_before")
        new = _create_sqlite(sa.Column("name_folded", sa.Text, nullable=False), sqlite_with_rowid=False)
        for rows in _rows("items_before", _KEPT):
            op.bulk_insert(new, [{**row, "name_folded": row["name"].casefold()} for row in rows])
        op.drop_table("items_before")
    op.create_index("ix_items_name_id", "items", ["name", "id"])
    op.create_index("ix_items_price_id", "items", ["price", "id"])
    _set_version(2)


def downgrade() -> None:
    op.drop_index("ix_items_price_id", "items")
    op.drop_index("ix_items_name_id", "items")
    if op.get_context().dialect.name == "postgresql":
        op.drop_column("items", "name_folded")
        op.alter_column("items", "name", type_=sa.String(255, collation="default"))
    else:
        op.rename_table("items", "items_before")
        new = _create_sqlite()
        for rows in _rows("items_before", _KEPT):
            op.bulk_insert(new, rows)
        op.drop_table("items_before")
    _set_version(1)


def _create_sqlite(*more: sa.Column[Any], **options: Any) -> sa.Table:
    return op.create_table(
        "items",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("price", BigInt, nullable=False),
        sa.Column("in_stock", sa.Boolean, nullable=False),
        sa.Column("version", BigInt, nullable=False),
        *more,
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.CheckConstraint("version > 0", name=op.f("ck_items_version")),
        **options,
    )


def _fold_in_place() -> None:
    folded = sa.text(
        "UPDATE items SET name_folded = folded.name FROM unnest(:ids, :names) AS folded(id, name) "
        "WHERE items.id = folded.id"
    ).bindparams(sa.bindparam("ids", type_=sa.ARRAY(sa.BigInteger)), sa.bindparam("names", type_=sa.ARRAY(sa.Text)))
    for rows in _rows("items", ("id", "name")):
        names = [row["name"].casefold() for row in rows]
        op.get_bind().execute(folded, {"ids": [row["id"] for row in rows], "names": names})


def _rows(table: str, names: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    """Read a table by its id, some rows at a time."""
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in names]
    source = sa.table(table, *columns)
    portion = sa.select(source).where(source.c.id > sa.bindparam("last")).order_by(source.c.id).limit(_ROWS_AT_ONCE)
    last = 0
    while rows := [dict(row) for row in op.get_bind().execute(portion, {"last": last}).mappings()]:
        yield rows
        last = rows[-1]["id"]


def _set_version(version: int) -> None:
    projections = sa.table("projections", sa.column("name"), sa.column("version"))
    op.execute(projections.update().where(projections.c.name == "items").values(version=version))
