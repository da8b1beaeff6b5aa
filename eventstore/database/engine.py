"""Opens the database that a URL names."""

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from eventstore.database.database import Database
from eventstore.database.postgresql.database import PostgresDatabase
from eventstore.database.sqlite.database import SqliteDatabase
from eventstore.errors import UnsupportedDatabaseError


def open_database(url: str, *, long_running: bool = False, small_cache: bool = False) -> Database:
    """Open the database that `url` names, without connecting yet. Raises UnsupportedDatabaseError.

    `long_running` is for statements that may take long. `small_cache` saves memory where data is read only once.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UnsupportedDatabaseError("not a valid URL") from None  # not shown: it may contain a password
    if parsed.drivername == "postgresql+asyncpg":
        return PostgresDatabase(parsed, long_running=long_running)
    if parsed.drivername == "sqlite+aiosqlite" and parsed.database not in (None, "", ":memory:"):
        return SqliteDatabase(parsed, long_running=long_running, small_cache=small_cache)
    raise UnsupportedDatabaseError(repr(parsed.set(query={}).render_as_string()))  # the query is not shown either
