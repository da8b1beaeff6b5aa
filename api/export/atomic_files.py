"""Files that are complete or absent, even after a power failure."""

import fcntl
import os
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path


class BusyError(Exception):
    """Another process is writing the file; the message names it."""


def partial_of(path: Path) -> Path:
    """Return the path of `path` while it is incomplete."""
    return path.with_name(f"{path.name}.partial")


def begin(path: Path) -> BufferedRandom:
    """Open the incomplete file of `path`, with its content, locked for this process until it is closed.

    Raises BusyError if another process has it open or has just completed it, and OSError.
    """
    partial = os.fdopen(os.open(partial_of(path), os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(partial, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(partial.fileno()), partial_of(path).stat()):
            return partial
    partial.close()
    raise BusyError(f"{path} is being written by another process")


def publish(partial: Path, path: Path) -> None:
    """Rename the complete file `partial` to `path`, durably, replacing any file of that name."""
    with partial.open("rb") as file:
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
    partial.write_bytes(content)
    publish(partial, path)
