"""The destination of an export: a file that is complete or absent and can be resumed, or a stream that cannot."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import file_digest
from io import BufferedRandom
from pathlib import Path
from time import monotonic
from typing import IO

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from api.export import atomic_files, manifest
from api.export.manifest import ExportRequest, LogHead, Manifest
from eventstore.log.history import Filter, StoredEvent

#: How often the state of an incomplete file is saved. A crash loses at most the events since.
_SAVE_PAUSE_SECONDS = 2.0


class OutputError(Exception):
    """The destination cannot be written; the message says why."""


class Plan(Struct, frozen=True):
    """What an export contains, fixed when it begins, so that a resumed export contains the same."""

    request: ExportRequest
    #: The filter of the request, with the positions at which the export begins and ends.
    filter: Filter
    log: LogHead


class Written(Struct, frozen=True):
    """How much of an export is written."""

    count: int = 0
    first: int | None = None
    last: int | None = None
    bytes: int = 0


class StreamOutput:
    """An export that cannot be resumed: standard output, a pipe, a device."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.written = Written()

    def write(self, text: bytes, events: Sequence[StoredEvent] = ()) -> None:
        """Write the next part of the export, and count the events in it."""
        self._file.write(text)
        self._file.flush()
        count, first, last, size = astuple(self.written)
        if events:
            count, first, last = count + len(events), first or events[0].position, events[-1].position
        self.written = Written(count, first, last, size + len(text))


class _SavedState(Struct, frozen=True):
    """The state of an incomplete file. An interrupted export resumes after the last page in it."""

    plan: Plan
    written: Written


class FileOutput(StreamOutput):
    """An export to a file with a manifest. FILE.partial is the incomplete file, FILE.partial.json its state."""

    def __init__(self, path: Path, partial: BufferedRandom, state: _SavedState | None) -> None:
        """Use `opened` instead."""
        super().__init__(partial)
        self._path = path
        self._saved_at = monotonic()
        #: What it contains; None for a new file.
        self.plan = state.plan if state else None
        self.written = state.written if state else Written()
        partial.truncate(self.written.bytes)
        self._hash = file_digest(partial, "sha256")  # reads to the end, where writing resumes

    @classmethod
    @contextmanager
    def opened(
        cls, path: Path, request: ExportRequest, *, from_scratch: bool, resumable: bool = True
    ) -> Iterator["FileOutput"]:
        """Open `path` for an export, or resume an interrupted one if `resumable`; `from_scratch` replaces everything.

        Raises OutputError if the file exists, if another export to it was begun, and if it cannot be written.
        """
        if path.exists() and not from_scratch:
            raise OutputError(f"{path} already exists. Pass --from-scratch to replace it")
        try:
            partial = atomic_files.begin(path)
        except atomic_files.RefusedFileError as error:
            raise OutputError(str(error)) from None
        except OSError as error:
            raise OutputError(f"{atomic_files.partial_of(path)}: {error.strerror}") from None
        with partial:
            state = _saved_state(path, partial) if resumable and not from_scratch else None
            if state and state.plan.request != request:
                raise OutputError(f"Cannot resume {path}: it is another export. Pass --from-scratch to start again")
            yield cls(path, partial, state)

    def begin(self, plan: Plan) -> None:
        """Set what a new file contains."""
        self.plan = plan
        self.save_state()

    def write(self, text: bytes, events: Sequence[StoredEvent] = ()) -> None:
        """Write the next part of the export, and save the state from time to time."""
        super().write(text, events)
        self._hash.update(text)
        if monotonic() - self._saved_at > _SAVE_PAUSE_SECONDS:
            self.save_state()

    def save_state(self) -> None:
        """Make the content durable, and then the state."""
        assert self.plan is not None
        os.fdatasync(self._file.fileno())
        atomic_files.write_whole(_state_path(self._path), msgspec.json.encode(_SavedState(self.plan, self.written)))
        self._saved_at = monotonic()

    def finish(self, text: bytes) -> Manifest:
        """Write the last part, and publish the complete file and its manifest."""
        assert self.plan is not None
        super().write(text)
        self._hash.update(text)
        result = Manifest(
            file=self._path.name,
            format=self.plan.request.format,
            filter=self.plan.request.filter,
            count=self.written.count,
            first_position=self.written.first,
            last_position=self.written.last,
            log=self.plan.log,
            bytes=self.written.bytes,
            sha256=self._hash.hexdigest(),
        )
        # A file must never exist without its manifest, nor with that of another: an old pair is deleted first, and the
        # file is published last.
        manifest.path_of(self._path).unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        atomic_files.write_whole(manifest.path_of(self._path), manifest.encode(result))
        atomic_files.publish(atomic_files.partial_of(self._path), self._path)
        _state_path(self._path).unlink()
        return result


def _state_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial.json")


def _saved_state(path: Path, partial: BufferedRandom) -> _SavedState | None:
    """Read the state of an incomplete file; None without one, or if the file is shorter than its state says."""
    with suppress(OSError, msgspec.DecodeError):
        state = msgspec.json.decode(atomic_files.read_own(_state_path(path)), type=_SavedState)
        if os.fstat(partial.fileno()).st_size >= state.written.bytes:
            return state
    return None
