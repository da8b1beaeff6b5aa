"""Opens the database that a URL names."""

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from eventstore.database.database import Database
from eventstore.database.postgresql import PostgresDatabase
from eventstore.database.sqlite import SqliteDatabase
from eventstore.errors import UnsupportedDatabaseError


def open_database(url: str, *, long_running: bool = False, small_cache: bool = False) -> Database:
    """Open the database that `url` names, without connecting yet.

    `long_running` where statements may take long, `small_cache` where what is read is not read again, so that no
    memory need be kept for that. Raises UnsupportedDatabaseError.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UnsupportedDatabaseError("what is no URL") from None  # untold, since it may hold a password
    if parsed.drivername == "postgresql+asyncpg":
        return PostgresDatabase(parsed, long_running=long_running)
    if parsed.drivername == "sqlite+aiosqlite" and parsed.database not in (None, "", ":memory:"):
        return SqliteDatabase(parsed, long_running=long_running, small_cache=small_cache)
    raise UnsupportedDatabaseError(parsed.set(query={}).render_as_string())  # nor is its query told
