"""The schema's history (Alembic): one numbered file a step under `versions/`, run over a connection that is given."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from projections import PROJECTIONS
from projections.projection_status import create_missing_tables

if TYPE_CHECKING:
    from alembic.config import Config  # at run time only where it is used: most commands need no Alembic

_HERE = Path(__file__).parent
#: "itemledg" as a 64-bit integer, so that no other user of advisory locks meets it by chance.
_LOCK = text(f"SELECT pg_advisory_xact_lock({int.from_bytes(b'itemledg')})")


class UnknownRevisionError(Exception):
    """The schema is at a revision that this code does not have."""


def head() -> str:
    """Give the newest revision that this code knows."""
    return max(_revisions())


def current(connection: Connection) -> str | None:
    """Give the revision that the database is at, None for one without our schema."""
    with connection.begin():
        return _current(connection)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema up to `revision` in one transaction: whole or not at all, and one process at a time.

    Raises UnknownRevisionError where the schema is at a revision that this code does not have.
    """
    from alembic import command

    with connection.begin():
        _alone(connection)
        found = _current(connection)
        if found is not None and found not in _revisions():
            raise UnknownRevisionError(f"The schema is at {found}, which this version does not know: is it newer?")
        command.upgrade(_config(connection), revision)
        if revision == "head":
            # What no migration makes: a projection's table, which a rebuild makes where there is anything to fold.
            create_missing_tables(connection, PROJECTIONS)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Take the schema back to `revision` in one transaction. Back to `base` is the end of the log."""
    from alembic import command

    with connection.begin():
        _alone(connection)
        command.downgrade(_config(connection), revision)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _revisions() -> set[str]:
    """Return every revision that this code has; a file's name begins with it."""
    return {file.name.partition("_")[0] for file in (_HERE / "versions").glob("[0-9]*.py")}


def _alone(connection: Connection) -> None:
    """Wait for another migration to end. On SQLite BEGIN IMMEDIATE has waited for every writer."""
    if connection.dialect.name == "postgresql":
        # The service's limits are for requests: a migration may wait, and may take long.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(_LOCK)


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config
