"""Opens the database that a URL names."""

from eventstore.database import urls
from eventstore.database.database import Database
from eventstore.database.postgresql.database import PostgresDatabase
from eventstore.database.sqlite.database import SqliteDatabase


def open_database(url: str, *, long_running: bool = False, small_cache: bool = False) -> Database:
    """Open the database that `url` names, without connecting yet. Raises UnsupportedDatabaseError.

    `long_running` is for statements that may take long. `small_cache` saves memory where data is read only once.
    """
    parsed = urls.parse(url)
    if parsed.drivername == urls.POSTGRESQL:
        return PostgresDatabase(parsed, long_running=long_running)
    return SqliteDatabase(parsed, long_running=long_running, small_cache=small_cache)
