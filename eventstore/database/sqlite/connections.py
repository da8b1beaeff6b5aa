"""The settings of SQLite's connections."""

import sqlite3
import time
from typing import Any

from sqlalchemy import Engine, event

from eventstore.errors import UnavailableError

#: The longest wait for a lock that another connection holds. The writer retries, and a stop must not wait for long.
LOCK_TIMEOUT_SECONDS = 2.0

_PRAGMAS = (
    f"busy_timeout={LOCK_TIMEOUT_SECONDS * 1000:.0f}",
    "synchronous=FULL",  # NORMAL loses acknowledged commits on power loss
    "foreign_keys=ON",
    "recursive_triggers=ON",  # otherwise INSERT OR REPLACE bypasses the append-only triggers
    "trusted_schema=OFF",
    "temp_store=MEMORY",
    "cache_size=-8192",  # 8 MiB a connection; there are six that read, and the operating system caches the file too
    "journal_size_limit=67108864",  # 64 MiB
    "wal_autocheckpoint=0",  # see checkpoints.py
)
#: For synchronous engines, used by threads of a pool: transactions begin as `configure` is told, not by the driver.
DRIVER_OPTIONS = {"check_same_thread": False, "isolation_level": None, "cached_statements": 512}


def configure(engine: Engine, *pragmas: str, begin: str = "") -> None:
    """Run `_PRAGMAS` and `pragmas` on every new connection, and the statement `begin` where a transaction begins."""

    def connect(dbapi_connection: Any, _record: object) -> None:
        set_pragmas(dbapi_connection, *pragmas)

    event.listen(engine, "connect", connect)
    if begin:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))


def set_pragmas(connection: Any, *pragmas: str) -> None:
    """Run `_PRAGMAS` and `pragmas` on a connection of sqlite3, or on what SQLAlchemy has made of one of aiosqlite."""
    cursor = connection.cursor()
    for pragma in (*_PRAGMAS, *pragmas):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def switch_to_wal(connection: sqlite3.Connection, _record: object) -> None:
    """Use a write-ahead log. If two connections switch at once, SQLite fails one despite busy_timeout, so retry."""
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            return connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > deadline:
                raise UnavailableError from error
        time.sleep(0.01)
