"""Exported files of JSON Lines read as the log that they are of: from their lines, and the manifests beside them."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from time import monotonic

import msgspec

from api.export import manifest
from api.export.manifest import Manifest
from api.http.rfc3339 import format_time
from api.schemas.event import EventDocument, to_stored_event
from eventstore.errors import TamperedError
from eventstore.log.history import StoredEvent
from eventstore.log.history_reader import Progress, ReportProgress
from eventstore.log.importing import row_of
from eventstore.log.log import END
from eventstore.merkle.log_verifier import Verification
from eventstore.merkle.tree_head import TreeHead

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


class LogFiles:
    """Files that are, one after the other, a log from its beginning; each is held against the manifest beside it."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read the manifests. Raises UnreadableFileError."""
        self._files = [(file, _manifest(file)) for file in files]
        logs = [(made.log, _bounds(made)) for _, made in self._files if made is not None]
        #: The number of events that the log had, by the manifests: with `--before` not all of them are there.
        self.size = max((log.size for log, _ in logs), default=0)
        #: The heads of the log that are there, by the manifests.
        self.heads = [TreeHead(log.size, bytes.fromhex(log.root)) for log, (_, before) in logs if before > log.size]
        self._bytes, self._read = sum(map(_size, files)), 0
        #: How many events were read.
        self.count = 0
        self._began = monotonic()

    def __iter__(self) -> Iterator[Iterator[StoredEvent]]:
        """Give the events, some at a time: all of them are to be taken before the next.

        Raises TamperedError where they are no events, or not those that a manifest describes, and UnreadableFileError.
        """
        for file, made in self._files:
            before, digest = self.count, sha256()
            for lines in _lines(file):
                for line in lines:
                    digest.update(line)
                    self._read += len(line)
                yield _events(lines, self.count + 1)
                self.count += len(lines)
            if made is not None:
                _compare(file, made, self.count - before, digest.hexdigest(), self.count)

    def progress(self) -> Progress:
        """Tell how far reading is, when what was given has been taken."""
        rate = self.count / (monotonic() - self._began)
        return Progress(self.count, self.count * self._bytes // max(self._read, 1), rate)


def verify(files: Sequence[Path], known: Iterable[TreeHead], tell: ReportProgress) -> TreeHead:
    """Verify that `files` are, one after the other, a log from its beginning, and give its head.

    `known` are heads that it must have had. Raises TamperedError for the first thing that is wrong, and
    UnreadableFileError.
    """
    exported = LogFiles(files)
    verification = Verification([*known, *exported.heads])
    for events in exported:
        verification.add(map(row_of, events))
        tell(exported.progress())
    verification.finish()
    return TreeHead(verification.size, verification.root)


def _compare(file: Path, made: Manifest, count: int, digest: str, position: int) -> None:
    """Raise TamperedError where a file of so many events, the last of them at `position`, is not what `made` says."""
    if made.count != count:
        raise TamperedError(position + 1, f"{file} has {count:,} events, by its manifest {made.count:,}")
    if count and made.first_position != (first := position - count + 1):
        raise TamperedError(first, f"{file} begins with position {first:,}, by its manifest {made.first_position:,}")
    if made.sha256 != digest:
        raise TamperedError(position, f"{file} is not the file that its manifest describes")


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
        expected = _expected(made)
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
    if (made.count, made.first_position, made.last_position) != expected:
        raise UnreadableFileError(f"{path} is not a manifest: not of these events of a log of {made.log.size:,}")
    return made


def _bounds(made: Manifest) -> tuple[int, int]:
    """Give the positions that a run of the log was asked for between. Raises ValueError."""
    after, before = made.filter.get("after", 0), made.filter.get("before", END)
    return int(after), int(before)


def _expected(made: Manifest) -> tuple[int, int | None, int | None]:
    """Give the number of events between these positions, and the first and the last of them. Raises ValueError."""
    after, before = _bounds(made)
    last = min(before - 1, made.log.size)
    return (last - after, after + 1, last) if last > after else (0, None, None)


def _events(lines: Sequence[bytes], position: int) -> Iterator[StoredEvent]:
    """Give the events of `lines`, of which the first is to be at `position`."""
    for expected, line in enumerate(lines, position):
        try:
            document = _decode(line)
            event = to_stored_event(document)
        except _UNREADABLE as error:
            raise TamperedError(expected, f"its line is not an event: {error}") from None
        # What is skipped by a reader, as a second member of the same name, could tell another reader something else.
        if _encode(document) + b"\n" != line or format_time(event.recorded_at) != document.recorded_at:
            raise TamperedError(expected, "its line is not as an export writes it")
        yield event
