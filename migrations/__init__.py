"""The schema's revisions (Alembic), one file each under `versions/`, run over a given connection.

Until the first release there is one revision, edited in place, with a new number. A database that an earlier
development version created is refused.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from eventstore.database.session import require_utf8
from projections import PROJECTIONS
from projections.projection_status import create_missing_tables

if TYPE_CHECKING:
    from alembic.config import Config  # at run time only where it is used: most commands need no Alembic

_HERE = Path(__file__).parent
#: "itemledg" as a 64-bit integer, so that no other user of advisory locks uses the same number by chance.
_LOCK = text(f"SELECT pg_advisory_xact_lock({int.from_bytes(b'itemledg')})")
_BEFORE_RELEASE = frozenset((*(f"{number:04}" for number in range(1, 13)), "v0001", "v0002"))


class UnknownRevisionError(Exception):
    """The schema is at a revision that this code does not have; the message says what to do."""


def head() -> str:
    """Return the newest revision that this code knows."""
    return max(_revisions())


def current(connection: Connection) -> str | None:
    """Return the database's revision, None if it has no schema. Raises UnknownRevisionError."""
    with connection.begin():
        return _known_revision(connection)


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade the schema to `revision` in one transaction, one process at a time.

    Raises UnknownRevisionError, and UnsupportedEncodingError.
    """
    with connection.begin():
        require_utf8(connection)
        _lock(connection)
        if _known_revision(connection) != (head() if revision == "head" else revision):
            from alembic import command  # not where there is nothing to do, as at most starts of the service

            command.upgrade(_config(connection), revision)
        if revision == "head":
            # Tables of projections are made from live code, not by a revision: a rebuild replaces them when it changes.
            create_missing_tables(connection, PROJECTIONS)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Downgrade the schema to `revision` in one transaction. `base` deletes the log."""
    from alembic import command

    with connection.begin():
        _lock(connection)
        command.downgrade(_config(connection), revision)


def _known_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision in _BEFORE_RELEASE:
        raise UnknownRevisionError(
            f"The schema is at {revision}, of a development version before the first release, and cannot be upgraded: "
            "export the log with that version (`itemledger events export`), then import it into an empty database with "
            "this one (`itemledger events import`)"
        )
    if revision is not None and revision not in _revisions():
        raise UnknownRevisionError(f"The schema is at {revision}, which this version does not know: is it newer?")
    return revision


def _revisions() -> set[str]:
    """Return every revision that this code has. The name of a revision's file begins with it."""
    return {file.name.partition("_")[0] for file in (_HERE / "versions").glob("v*.py")}


def _lock(connection: Connection) -> None:
    """Wait for another migration to end. On SQLite BEGIN IMMEDIATE has waited for every writer."""
    if connection.dialect.name == "postgresql":
        # The service's timeouts are for requests. A migration may wait, and may take long.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(_LOCK)


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config
