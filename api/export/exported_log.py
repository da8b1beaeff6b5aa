"""Reads JSON Lines exports, with the manifests next to them, as the log that was exported."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from time import monotonic

import msgspec

from api.export.manifest import Manifest, decode, path_of
from api.http.rfc3339 import format_time
from api.schemas.event import EventDocument, to_stored_event
from eventstore.errors import TamperedError
from eventstore.log.head import END
from eventstore.log.history import StoredEvent
from eventstore.log.history_reader import Progress, ReportProgress
from eventstore.log.importing import row_of
from eventstore.merkle.log_verifier import Verification
from eventstore.merkle.tree_head import TreeHead

_CHUNK_LINES = 10_000
#: An export with these filters only is still a contiguous part of the log.
_BOUNDS = {"after", "before"}

#: What decoding can raise, whatever the bytes.
_UNREADABLE = (ValueError, OverflowError, RecursionError)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EventDocument).decode


class UnreadableFileError(Exception):
    """A file does not exist, or is not an export of a contiguous part of the log; the message says which."""


class LogFiles:
    """Files that together are a log from its beginning, in order. Each is compared with the manifest next to it."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read the manifests. Raises UnreadableFileError."""
        self._files = [(file, _read_manifest(file)) for file in files]
        logs = [(manifest.log, _bounds(manifest)) for _, manifest in self._files if manifest is not None]
        #: The size of the log according to the manifests. An export with `--before` has fewer events.
        self.size = max((log.size for log, _ in logs), default=0)
        #: The log heads in the manifests of files that reach them.
        self.heads = [TreeHead(log.size, bytes.fromhex(log.root)) for log, (_, before) in logs if before > log.size]
        self._total_bytes, self._read_bytes = sum(map(_size, files)), 0
        #: The number of events read so far.
        self.count = 0
        self._started_at = monotonic()

    def __iter__(self) -> Iterator[Iterator[StoredEvent]]:
        """Yield the events in chunks; each must be consumed before the next.

        Raises TamperedError if a line is not an event or a file does not match its manifest, and UnreadableFileError.
        """
        for file, manifest in self._files:
            before, digest = self.count, sha256()
            for lines in _lines(file):
                for line in lines:
                    digest.update(line)
                    self._read_bytes += len(line)
                yield _events(file, lines, self.count + 1)
                self.count += len(lines)
            if manifest is not None:
                _compare(file, manifest, self.count - before, digest.hexdigest(), self.count)

    def progress(self) -> Progress:
        """Return the progress, once the chunks so far are consumed. The target is estimated from the bytes."""
        rate = self.count / (monotonic() - self._started_at)
        return Progress(self.count, self.count * self._total_bytes // max(self._read_bytes, 1), rate)


def verify(
    files: Sequence[Path],
    heads: Iterable[TreeHead],
    tell: ReportProgress,
    unknown_types: Counter[str] | None = None,
) -> TreeHead:
    """Verify that `files` in this order are a log from its beginning that had these heads, and return its head.

    For `unknown_types` see Verification. Raises TamperedError for the first fault, and UnreadableFileError.
    """
    exported = LogFiles(files)
    verification = Verification([*heads, *exported.heads], unknown_types=unknown_types)
    for events in exported:
        verification.add(map(row_of, events))
        tell(exported.progress())
    verification.finish()
    return TreeHead(verification.size, verification.root)


def _compare(file: Path, manifest: Manifest, count: int, digest: str, position: int) -> None:
    """Raise TamperedError if a file of `count` events up to `position` does not match its manifest."""
    if manifest.count != count:
        raise TamperedError(position + 1, f"{file} has {count:,} events, but its manifest says {manifest.count:,}")
    if count and manifest.first_position != (first := position - count + 1):
        raise TamperedError(
            first, f"{file} begins at position {first:,}, but its manifest says {manifest.first_position:,}"
        )
    if manifest.sha256 != digest:
        raise TamperedError(position, f"{file} does not match the SHA-256 in its manifest")


def _lines(file: Path) -> Iterator[list[bytes]]:
    """Yield the lines of `file` in chunks. Raises UnreadableFileError."""
    try:
        with file.open("rb") as opened:
            while lines := list(islice(opened, _CHUNK_LINES)):
                yield lines
    except OSError as error:
        raise UnreadableFileError(f"{file}: {error.strerror}") from None


def _size(file: Path) -> int:
    """Return the size of a file whose first line, if any, is a JSON object. Raises UnreadableFileError."""
    try:
        msgspec.json.decode(next(_lines(file), [b"{}"])[0], type=dict)
    except _UNREADABLE:
        raise UnreadableFileError(f"{file} is not a JSON Lines export") from None
    return file.stat().st_size


def _read_manifest(file: Path) -> Manifest | None:
    """Read the manifest of an export; None without one. Raises UnreadableFileError if the export is not verifiable."""
    path = path_of(file)
    try:
        manifest = decode(path.read_bytes())
        after, before = _bounds(manifest)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror}") from None
    except _UNREADABLE as error:
        raise UnreadableFileError(f"{path} is not a valid manifest: {error}") from None
    if manifest.format != "jsonl":
        raise UnreadableFileError(f"{file} is a {manifest.format} export: only JSON Lines exports can be verified")
    if manifest.filter.keys() - _BOUNDS:
        raise UnreadableFileError(
            f"{file} is a filtered export: only complete logs can be verified, single events by their proofs"
        )
    last = min(before - 1, manifest.log.size)
    expected = (last - after, after + 1, last) if last > after else (0, None, None)
    if (manifest.count, manifest.first_position, manifest.last_position) != expected:
        raise UnreadableFileError(
            f"{path} is not a valid manifest: its positions do not fit a log of {manifest.log.size:,} events"
        )
    return manifest


def _bounds(manifest: Manifest) -> tuple[int, int]:
    """Return the positions that an export lies between. Raises ValueError."""
    return int(manifest.filter.get("after", 0)), int(manifest.filter.get("before", END))


def _events(file: Path, lines: Sequence[bytes], position: int) -> Iterator[StoredEvent]:
    """Yield the events of `lines` of `file`, the first of which must be at `position`.

    Raises TamperedError, and UnreadableFileError for a line that differs from an export's by its end alone.
    """
    for expected, line in enumerate(lines, position):
        try:
            document = _decode(line)
            event = to_stored_event(document)
        except _UNREADABLE as error:
            raise TamperedError(expected, f"its line is not an event: {error}") from None
        # Another reader could see other values, for example in a member that is repeated.
        if (written := _encode(document)) + b"\r\n" == line:
            raise UnreadableFileError(
                f"{file}: its line ends were converted from LF to CRLF, perhaps by Git or an editor. That is not "
                "tampering, but nothing can be verified so. Restore LF, for example with `sed -i 's/\\r$//' FILE`, "
                "then try again"
            )
        if written + b"\n" != line or format_time(event.recorded_at) != document.recorded_at:
            raise TamperedError(expected, "its line differs from the canonical form of an export")
        yield event
