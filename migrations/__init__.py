"""The schema's revisions (Alembic), one file each under `versions/`, run over a given connection.

Until the first release there is one revision, edited in place. A database that an earlier development version created
is refused. Revisions of those versions were 0001 to 0012; the ids here begin with a `v`, so the two cannot be confused.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from projections import PROJECTIONS
from projections.projection_status import create_missing_tables

_HERE = Path(__file__).parent
#: "itemledg" as a 64-bit integer, so that no other user of advisory locks uses the same number by chance.
_LOCK = text(f"SELECT pg_advisory_xact_lock({int.from_bytes(b'itemledg')})")
_BEFORE_RELEASE = frozenset(f"{number:04}" for number in range(1, 13))


class UnknownRevisionError(Exception):
    """The schema is at a revision that this code does not have; the message says what to do."""


def head() -> str:
    """Return the newest revision that this code knows."""
    return str(_scripts().get_current_head())


def current(connection: Connection) -> str | None:
    """Return the database's revision, None if it has no schema. Raises UnknownRevisionError."""
    with connection.begin():
        return _known_revision(connection)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade the schema to `revision` in one transaction, one process at a time. Raises UnknownRevisionError."""
    with connection.begin():
        _lock(connection)
        _known_revision(connection)
        command.upgrade(_config(connection), revision)
        if revision == "head":
            # Tables of projections are made from live code, not by a revision: a rebuild replaces them when it changes.
            create_missing_tables(connection, PROJECTIONS)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Downgrade the schema to `revision` in one transaction. `base` deletes the log."""
    with connection.begin():
        _lock(connection)
        command.downgrade(_config(connection), revision)


def _known_revision(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision in _BEFORE_RELEASE:
        raise UnknownRevisionError(
            f"The schema is at {revision}, of a development version before the first release, and cannot be upgraded: "
            "export the log with that version (`itemledger events export`), then import it into an empty database with "
            "this one (`itemledger events import`)"
        )
    if revision is not None and revision not in {script.revision for script in _scripts().walk_revisions()}:
        raise UnknownRevisionError(f"The schema is at {revision}, which this version does not know: is it newer?")
    return revision


def _lock(connection: Connection) -> None:
    """Wait for another migration to end. On SQLite BEGIN IMMEDIATE has waited for every writer."""
    if connection.dialect.name == "postgresql":
        # The service's timeouts are for requests. A migration may wait, and may take long.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(_LOCK)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_HERE))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config
