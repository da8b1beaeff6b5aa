"""The manifest of an export, written next to the complete file, which proves that a copy of the file is complete."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class LogHead(Struct, frozen=True):
    """The head of the log's Merkle tree (RFC 9162) at one moment."""

    #: The number of events, which is the position of the last one.
    size: Annotated[int, Meta(ge=0)]
    #: The root hash, in hexadecimal.
    root: _Hash


class ExportRequest(Struct, frozen=True):
    """What to export: the format, and the filter as the client wrote it, which is empty for all events."""

    format: str
    filter: dict[str, int | str]
    #: The name of the log.
    origin: str


class Manifest(Struct, frozen=True, kw_only=True):
    """The manifest of one file."""

    #: The name of the file, without its folder.
    file: str
    format: str
    filter: dict[str, int | str]
    #: The number of events, and the positions of the first and the last; None if there are none.
    count: Annotated[int, Meta(ge=0)]
    first_position: int | None
    last_position: int | None
    #: The log when the export began. Later events are not exported.
    log: LogHead
    bytes: Annotated[int, Meta(ge=0)]
    #: The SHA-256 of the file, in hexadecimal.
    sha256: _Hash


def path_of(file: Path) -> Path:
    """Return the path of the manifest of the export `file`."""
    return file.with_name(f"{file.name}.manifest.json")


def encode(manifest: Manifest) -> bytes:
    """Encode a manifest readably, with one member per line."""
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def decode(text: bytes) -> Manifest:
    """Decode a manifest. Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=Manifest)
