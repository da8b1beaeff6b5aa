"""Whether exported files of JSON Lines are the log: from their lines alone, and the manifests beside them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from time import monotonic

import msgspec

from api.event_body import EventDocument, format_time, parse_time
from api.export import manifest
from api.export.manifest import Manifest
from eventstore.checkpoint import TreeHead
from eventstore.errors import TamperedError
from eventstore.verification import Row, Verification
from eventstore.verify import Progress

#: Lines that are read at a time.
_CHUNK = 10_000
#: What an export may have been asked for and still be a run of the log.
_BOUNDS = {"after", "before"}

#: What reading can raise, whatever the bytes.
_UNREADABLE = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EventDocument).decode


class UnreadableFileError(Exception):
    """A file is not there, or is no export of a run of the log; the message says which."""


def verify(files: Sequence[Path], known: Iterable[TreeHead], tell: Callable[[Progress], None]) -> TreeHead:
    """Verify that `files` are, one after the other, a log from its beginning, and give its head.

    `known` are heads that it must have had. Raises TamperedError for the first thing that is wrong, and
    UnreadableFileError.
    """
    manifests = [_manifest(file) for file in files]
    exported = [
        TreeHead(made.log.size, bytes.fromhex(made.log.root))
        for made in manifests
        if made is not None and made.last_position == made.log.size
    ]
    verification = Verification([*known, *exported])
    total, read, began = sum(map(_size, files)), 0, monotonic()
    for file, made in zip(files, manifests, strict=True):
        before, digest = verification.size, sha256()
        for lines in _lines(file):
            for line in lines:
                digest.update(line)
                read += len(line)
            verification.take(_rows(lines, verification.size + 1))
            rate = verification.size / (monotonic() - began)
            tell(Progress(verification.size, verification.size * total // read, rate))
        if made is not None:
            if made.count != verification.size - before:
                raise TamperedError(
                    verification.size + 1,
                    f"{file} has {verification.size - before:,} events, by its manifest {made.count:,}",
                )
            if made.sha256 != digest.hexdigest():
                raise TamperedError(verification.size, f"{file} is not the file that its manifest describes")
    verification.finish()
    return TreeHead(verification.size, verification.root)


def _lines(file: Path) -> Iterator[list[bytes]]:
    """Give the lines of `file`, some at a time. Raises UnreadableFileError."""
    try:
        with file.open("rb") as opened:
            while lines := list(islice(opened, _CHUNK)):
                yield lines
    except OSError as error:
        raise UnreadableFileError(f"{file}: {error.strerror}") from None


def _size(file: Path) -> int:
    """Give the size of a file that begins like an export of JSON Lines. Raises UnreadableFileError."""
    for lines in _lines(file):
        try:
            msgspec.json.decode(lines[0], type=dict)
        except _UNREADABLE:
            raise UnreadableFileError(f"{file} is not an export of JSON Lines") from None
        break
    return file.stat().st_size


def _manifest(file: Path) -> Manifest | None:
    """Read the manifest of an export, if there is one. Raises UnreadableFileError where the two can't be verified."""
    path = manifest.path_of(file)
    try:
        made = manifest.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror}") from None
    except _UNREADABLE as error:
        raise UnreadableFileError(f"{path} is not a manifest: {error}") from None
    if made.format != "jsonl":
        raise UnreadableFileError(f"{file} is an export as {made.format}: only JSON Lines can be verified")
    if made.filter.keys() - _BOUNDS:
        raise UnreadableFileError(f"{file} has only some of the events: a log is verified as a whole, events by proofs")
    return made


def _rows(lines: Sequence[bytes], position: int) -> Iterator[Row]:
    """Give the events of `lines`, of which the first is to be at `position`."""
    for expected, line in enumerate(lines, position):
        try:
            event = _decode(line)
            time = parse_time(event.recorded_at)
            row = (
                event.position,
                event.item_id,
                event.version,
                event.type,
                time,
                event.actor,
                event.command_id,
                event.ordinal,
                event.correlation_id,
                event.causation_id,
                bytes(event.data).decode(),
                bytes.fromhex(event.leaf_hash),
            )
        except _UNREADABLE as error:
            raise TamperedError(expected, f"its line is not an event: {error}") from None
        # What is skipped by a reader, as a second member of the same name, could tell another reader something else.
        if _encode(event) + b"\n" != line or format_time(time) != event.recorded_at:
            raise TamperedError(expected, "its line is not as an export writes it")
        yield row
