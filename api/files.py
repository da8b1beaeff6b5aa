"""Files that are there whole or not at all, whenever the power goes."""

import os
from pathlib import Path


def put_in_place(partial: Path, path: Path) -> None:
    """Have `partial`, a complete file, take the name `path`, durably; what had that name is replaced."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, durably, in one step for whoever reads it."""
    partial = path.with_name(f"{path.name}.new")
    partial.write_bytes(content)
    put_in_place(partial, path)


def sync_folder(path: Path) -> None:
    """Make durable what names there are in the folder of `path`."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
