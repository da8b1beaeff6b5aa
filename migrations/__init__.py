"""The schema's history (Alembic): one numbered file a step under `versions/`, run over a connection that is given."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

_HERE = Path(__file__).parent
#: "itemledg" as a 64-bit integer, so that no other user of advisory locks meets it by chance.
_LOCK = text(f"SELECT pg_advisory_xact_lock({int.from_bytes(b'itemledg')})")


def head() -> str:
    """Give the newest revision that this code knows."""
    newest = ScriptDirectory(str(_HERE)).get_current_head()
    assert newest is not None
    return newest


def current(connection: Connection) -> str | None:
    """Give the revision that the database is at, None for one without our schema."""
    with connection.begin():
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema up to `revision` in one transaction: whole or not at all, and one process at a time."""
    with connection.begin():
        _alone(connection)
        command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Take the schema back to `revision` in one transaction. Back to `base` is the end of the log."""
    with connection.begin():
        _alone(connection)
        command.downgrade(_config(connection), revision)


def _alone(connection: Connection) -> None:
    """Wait for another migration to end. On SQLite BEGIN IMMEDIATE has waited for every writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config
