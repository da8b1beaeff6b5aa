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
        """Make an empty database, in `directory` where it is a file, and return its SQLAlchemy URL."""

    def settle(self, url: str) -> None:
        """Let a database that was just filled be as it would be some time later."""

    def drop(self, url: str) -> None:
        """Throw it away."""


class SqliteFiles:
    """SQLite; the directory a file is in is removed with everything in it."""

    description = f"SQLite {sqlite3.sqlite_version} (journal_mode WAL, synchronous FULL)"

    def create(self, directory: Path) -> str:
        """Name a file that the server makes itself."""
        return f"sqlite+aiosqlite:///{directory / 'items.db'}"

    def settle(self, url: str) -> None:
        """Nothing is left to do."""

    def drop(self, url: str) -> None:
        """Leave it to the directory's end."""


class PostgresDatabases:
    """Databases of one PostgreSQL server, whose durability settings are part of what is reported."""

    def __init__(self, server: PostgresServer) -> None:
        """Describe the server, and refuse one that may lose what it acknowledged."""
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
        """Do what autovacuum would begin to do while something is measured."""
        self._server.execute("VACUUM ANALYZE", str(make_url(url).database))
        self._server.execute("CHECKPOINT")

    def drop(self, url: str) -> None:
        """Drop it, so that its autovacuum disturbs nothing measured later."""
        self._server.drop_database(url)


@contextmanager
def open_databases(name: DatabaseName) -> Iterator[Databases]:
    """Everything needed to create databases of one kind, for as long as the context lasts."""
    if name == "sqlite":
        yield SqliteFiles()
    else:
        with PostgresServer() as server:
            yield PostgresDatabases(server)
