"""A revision after the first, which exists in tests only: it adds a table, and a column to a table with rows."""

import shutil
from pathlib import Path

import pytest

import migrations

_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "v0004"
down_revision = "v0003"


def upgrade():
    op.create_table("second", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("log_tiles", sa.Column("note", sa.Text))
    op.add_column("log_head", sa.Column("note", sa.Text, nullable=False, server_default="none"))


def downgrade():
    op.drop_column("log_head", "note")
    op.drop_column("log_tiles", "note")
    op.drop_table("second")
"""


def add_second_revision(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy the revisions to `folder`, add one, and use the copy for the rest of the test."""
    copy = folder / "migrations"
    shutil.copytree(migrations._HERE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "versions" / "v0004_second.py").write_text(_REVISION)
    monkeypatch.setattr(migrations, "_HERE", copy)
