"""Files that are complete or absent, even after a power failure, and that their user alone can read.

No symbolic link is followed where a file is created, and no file of another user is written: a user who can write to
the folder could otherwise choose which file is overwritten, or read what is written.
"""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path

_MODE = 0o600
_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC


class RefusedFileError(Exception):
    """The file cannot be used; the message names it, and says what to do."""


class BusyError(RefusedFileError):
    """Another process is writing the file."""


def partial_of(path: Path) -> Path:
    """Return the path of `path` while it is incomplete."""
    return path.with_name(f"{path.name}.partial")


def begin(path: Path) -> BufferedRandom:
    """Open the incomplete file of `path`, with its content, locked for this process until it is closed.

    Raises BusyError if another process has it open or has just completed it, RefusedFileError, and OSError.
    """
    partial_path = partial_of(path)
    for name in (path, partial_path):
        if name.is_symlink():
            raise _linked(name)
    try:
        partial = os.fdopen(os.open(partial_path, os.O_RDWR | os.O_CREAT | _OPEN, _MODE), "r+b")
    except OSError as error:
        raise (_linked(partial_path) if error.errno == errno.ELOOP else error) from None
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(partial, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(partial.fileno())
        if os.path.samestat(found, partial_path.lstat()):
            if _is_own(found):
                os.fchmod(partial.fileno(), _MODE)
                return partial
            partial.close()
            raise RefusedFileError(f"{partial_path} is not a file of this user alone. Remove it")
    partial.close()
    raise BusyError(f"{path} is being written by another process")


def publish(partial: Path, path: Path) -> None:
    """Rename the complete file `partial` to `path`, durably, replacing any file of that name."""
    with os.fdopen(os.open(partial, os.O_RDONLY | _OPEN), "rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file durably; readers see the old or the new content, never a part."""
    partial = path.with_name(f"{path.name}.new")
    partial.unlink(missing_ok=True)  # of a process that was killed; of a link only the link
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, _MODE), "wb") as file:
        file.write(content)
    publish(partial, path)


def read_own(path: Path) -> bytes:
    """Return the content of a file of this user. Raises OSError, also for a link and a file of another user."""
    with os.fdopen(os.open(path, os.O_RDONLY | _OPEN), "rb") as file:
        if not _is_own(os.fstat(file.fileno())):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        return file.read()


def _is_own(found: os.stat_result) -> bool:
    """Return whether a file is a regular one of this user, and has no second name."""
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1


def _linked(path: Path) -> RefusedFileError:
    return RefusedFileError(f"{path} is a symbolic link. Name the file itself, or remove the link")
