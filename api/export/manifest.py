"""What an export holds, and how to tell that a copy of it is whole: written beside the file when that is complete."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Tree(Struct, frozen=True):
    """The log's Merkle tree (RFC 9162) at a moment."""

    #: The number of events, which is the last one's position.
    size: Annotated[int, Meta(ge=0)]
    #: Its root hash, in hexadecimal.
    root: _Hash


class Order(Struct, frozen=True):
    """What an export was asked for."""

    format: str
    #: What was asked of the events; all of them where it is empty.
    filter: dict[str, int | str]
    #: The log's name.
    origin: str


class Manifest(Struct, frozen=True, kw_only=True):
    """The manifest of one file."""

    #: The file's name, without a folder.
    file: str
    format: str
    filter: dict[str, int | str]
    #: The number of events in it, and the positions of the first and the last; None where there is none.
    count: Annotated[int, Meta(ge=0)]
    first_position: int | None
    last_position: int | None
    #: The log when the export began; events that came later are not in it.
    log: Tree
    bytes: Annotated[int, Meta(ge=0)]
    #: The SHA-256 of the file, in hexadecimal.
    sha256: _Hash


def path_of(file: Path) -> Path:
    """Give the path of the manifest of the export `file`."""
    return file.with_name(f"{file.name}.manifest.json")


def encode(manifest: Manifest) -> bytes:
    """Write a manifest, one line a member, for people as well."""
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def decode(text: bytes) -> Manifest:
    """Read a manifest. Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=Manifest)
