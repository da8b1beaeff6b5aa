"""Files that are there whole or not at all, whenever the power goes."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO


class BusyError(Exception):
    """A file is being written by another process; the message says which."""


def partial_of(path: Path) -> Path:
    """Give the path of what is to become the file `path`."""
    return path.with_name(f"{path.name}.partial")


def begin(path: Path) -> IO[bytes]:
    """Open what is to become the file `path`, with what is in it already, for this process alone until it is closed.

    Raises BusyError where another process has it open so, or has just completed it, and OSError.
    """
    partial = os.fdopen(os.open(partial_of(path), os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(partial, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(partial.fileno()), partial_of(path).stat()):
            return partial
    partial.close()
    raise BusyError(f"{path} is being written by another process")


def publish(partial: Path, path: Path) -> None:
    """Have `partial`, a complete file, take the name `path`, durably; what had that name is replaced."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, durably, in one step for whoever reads it."""
    partial = path.with_name(f"{path.name}.new")
    partial.write_bytes(content)
    publish(partial, path)


def sync_folder(path: Path) -> None:
    """Make durable what names there are in the folder of `path`."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
