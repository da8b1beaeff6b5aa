"""Fresh databases for the servers under test: a file on the same disk as everything temporary, or a real PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import make_url

from benchmarks.load import BenchmarkError
from tests.support.postgres import PostgresServer

DatabaseName = Literal["sqlite", "postgresql"]
DATABASES: tuple[DatabaseName, ...] = ("sqlite", "postgresql")


class Databases(Protocol):
    """One kind of database."""

    description: str

    def create(self, directory: Path) -> str:
        """Create an empty database, in `directory` if it is a file, and return its SQLAlchemy URL."""

    def settle(self, url: str) -> None:
        """Run the maintenance that a database does some time after it is filled."""

    def drop(self, url: str) -> None:
        """Drop the database."""


class SqliteFiles:
    """SQLite; a database is removed with its directory."""

    description = f"SQLite {sqlite3.sqlite_version} (journal_mode WAL, synchronous FULL)"

    def create(self, directory: Path) -> str:
        """Return the URL of a file that the server creates."""
        return f"sqlite+aiosqlite:///{directory / 'items.db'}"

    def settle(self, url: str) -> None:
        """Do nothing."""

    def drop(self, url: str) -> None:
        """Do nothing: the directory is removed later."""


class PostgresDatabases:
    """Databases of one PostgreSQL server, whose durability settings are reported."""

    def __init__(self, server: PostgresServer) -> None:
        """Describe the server, and refuse one that may lose acknowledged writes."""
        self._server = server
        version, fsync, commit = (
            server.execute(f"SHOW {setting}") for setting in ("server_version", "fsync", "synchronous_commit")
        )
        if (fsync, commit) != ("on", "on"):
            raise BenchmarkError(f"figures without durability say nothing: fsync={fsync}, synchronous_commit={commit}")
        self.description = f"PostgreSQL {version} (fsync on, synchronous_commit on)"

    def create(self, directory: Path) -> str:
        """Create a database on the server."""
        return self._server.create_database()

    def settle(self, url: str) -> None:
        """Vacuum now, so that autovacuum does not start during a measurement."""
        self._server.execute("VACUUM ANALYZE", str(make_url(url).database))
        self._server.execute("CHECKPOINT")

    def drop(self, url: str) -> None:
        """Drop it, so that its autovacuum does not disturb later measurements."""
        self._server.drop_database(url)


@contextmanager
def open_databases(name: DatabaseName) -> Iterator[Databases]:
    """Provide databases of one kind while the context lasts."""
    if name == "sqlite":
        yield SqliteFiles()
    else:
        with PostgresServer() as server:
            yield PostgresDatabases(server)
