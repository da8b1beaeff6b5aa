"""WAL checkpoints: the process that serves makes them, on its write connection; another only where none serves.

SQLite up to 3.51.2 can corrupt a database where one connection makes a WAL checkpoint while another commits (the
WAL-reset bug). The fewer make one, the better.
"""

import sqlite3
from typing import Any

from sqlalchemy import Connection

from eventstore.database.sqlite.connections import LOCK_TIMEOUT_SECONDS
from eventstore.database.sqlite.files import DatabaseFiles, try_lock

#: The lock of the process that serves.
SERVING = "serve"
#: For the write connection of the process that serves: 16 MiB. A WAL checkpoint syncs the file, and the writer waits.
WHILE_SERVING = "PRAGMA wal_autocheckpoint=4000"
#: How often the process that serves looks at what others have written to the WAL, and how long it then is.
IDLE_SECONDS, IDLE_BYTES = 10.0, 16 * 2**20
#: How much a command writes to the WAL before it makes a WAL checkpoint, where no process serves.
COMMAND_BYTES = 64 * 2**20


class CommandCheckpoints:
    """Keeps the WAL short while a command writes and no process serves."""

    def __init__(self, files: DatabaseFiles) -> None:
        self._files = files
        self._next_bytes = COMMAND_BYTES

    def after_write(self, connection: Connection) -> None:
        """Make a WAL checkpoint if the WAL has grown by COMMAND_BYTES. Call it outside a transaction."""
        if (size := wal_bytes(self._files)) < self._next_bytes:
            self._next_bytes = min(self._next_bytes, size + COMMAND_BYTES)
            return
        with self._files.open_lock(SERVING) as lock:
            if try_lock(lock):
                checkpoint(connection, "TRUNCATE")
        self._next_bytes = wal_bytes(self._files) + COMMAND_BYTES


def checkpoint(connection: Connection, mode: str) -> None:
    """Make a WAL checkpoint as far as that needs no wait. Where it can, it excludes other writers meanwhile."""
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout=0").close()
    try:
        driver.execute(f"PRAGMA wal_checkpoint({mode})").close()
    finally:
        driver.execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT_SECONDS * 1000:.0f}").close()


def wal_bytes(files: DatabaseFiles) -> int:
    """Return the size of the WAL, 0 where there is none."""
    try:
        return files.wal.stat().st_size
    except OSError:
        return 0


def has_wal_reset_bug(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Return whether a version of SQLite has the WAL-reset bug (https://sqlite.org/wal.html#walresetbug)."""
    fixed = (3, 44, 6) <= version < (3, 45, 0) or (3, 50, 7) <= version < (3, 51, 0)
    return (3, 7, 0) <= version < (3, 51, 3) and not fixed
