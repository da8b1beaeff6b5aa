"""The files of an SQLite database: whether they are still those that are open, and locks on files beside them.

Only `stat` looks at the database's own files. SQLite's locks belong to the process: if it closed any other descriptor
of such a file, the system would release them all.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import IO

from eventstore.errors import LinkedFileError, MovedFileError, UnavailableError


class DatabaseFiles:
    """The database's file and the two that SQLite names after it, as the write connection has opened them."""

    def __init__(self, path: str) -> None:
        self.path = Path(path).absolute()
        # SQLite follows a symbolic link, and names the others after the file itself.
        self._target = os.path.realpath(path)
        self._opened: dict[str, tuple[str, tuple[int, int] | None]] = {}
        self._lost: MovedFileError | None = None

    def uri(self, mode: str) -> str:
        """Return SQLite's URI of the file. No mode but `rwc` creates it."""
        return f"{self.path.as_uri()}?mode={mode}"

    @property
    def wal(self) -> Path:
        """The write-ahead log, which may not exist."""
        return Path(f"{self._target}-wal")

    @property
    def names(self) -> int:
        """The number of names (hard links) that the database's file has, 0 if it does not exist."""
        try:
            return self.path.stat().st_nlink
        except FileNotFoundError:
            return 0

    def create(self) -> None:
        """Create the database's file, and missing folders, for this user alone. An existing file keeps its mode.

        SQLite gives the WAL and its index the mode of the file. Raises LinkedFileError, and OSError.
        """
        for folder in reversed([self.path.parent, *self.path.parent.parents]):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        for part in ("-wal", "-shm", "-journal"):
            if os.path.islink(linked := f"{self._target}{part}"):  # noqa: PTH114  (SQLite refuses it without its name)
                raise LinkedFileError(linked)
        try:
            os.close(_create(str(self.path), os.O_RDWR | os.O_EXCL))
        except FileExistsError:
            if not self.path.exists():
                raise LinkedFileError(str(self.path)) from None

    def note_opened(self) -> None:
        """Remember the files that the write connection has just opened."""
        paths = {"file": str(self.path), "WAL": str(self.wal), "WAL index": f"{self._target}-shm"}
        self._opened = {part: (path, _identity(path)) for part, path in paths.items()}

    def note_closed(self) -> None:
        """Forget all but the database's file: with the last connection SQLite deletes the others."""
        self._opened = {part: opened for part, opened in self._opened.items() if part == "file"}

    def check(self) -> None:
        """Raise MovedFileError where a path does not lead to the open file. It takes about 6 microseconds.

        A database file can be put back. Without its write-ahead log or index, connections old and new would disagree
        about the content, so the state stays until the process ends.
        """
        if self._lost:
            raise self._lost
        for part, (path, opened) in self._opened.items():
            found = _identity(path)
            if opened is None:
                self._opened[part] = path, found  # SQLite makes the WAL of a new database at the first commit
            elif found != opened:
                error = MovedFileError(part)
                if part != "file":
                    self._lost = error
                raise error

    def open_lock(self, name: str) -> IO[bytes]:
        """Open the file of the lock called `name`. Raises UnavailableError, LinkedFileError.

        A new one gets the mode of the database, as SQLite's own files do: who may write the one may lock the other.
        """
        path = f"{self._target}-{name.replace(' ', '-')}.lock"
        try:
            is_new, descriptor = not Path(path).exists(), _create(path, os.O_WRONLY | os.O_APPEND)
            if is_new and self.path.exists():
                os.fchmod(descriptor, self.path.stat().st_mode & 0o666)
            return os.fdopen(descriptor, "ab")
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise LinkedFileError(path) from None
            raise UnavailableError from error


def _create(path: str, flags: int) -> int:
    """Open a file that this user alone may read, if it is a new one. Does not follow a symbolic link."""
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  (half the time of Path.stat, twice for every batch)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def try_lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; return whether that succeeded. The system unlocks it with the process."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
