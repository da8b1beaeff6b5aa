"""Where an export goes: a file that is there whole or not at all, or a stream that whoever reads it must keep."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import IO, Protocol

import msgspec
from msgspec import Struct

from api.export import atomic_files, manifest
from api.export.manifest import Manifest, Order, Tree
from eventstore.log.history import Filter, StoredEvent

#: Seconds between two notes of how far a file has come: what comes behind the last one is lost in a crash.
_NOTE_PAUSE = 2.0
_BLOCK = 1 << 20


class TargetError(Exception):
    """An export can't go where it was to go; the message says why."""


class Plan(Struct, frozen=True):
    """What an export is of: settled when it begins, and the same for whoever goes on with it."""

    order: Order
    #: What `order` comes to, in positions.
    chosen: Filter
    log: Tree


class Written(Struct, frozen=True):
    """How far an export has come."""

    count: int = 0
    first: int | None = None
    last: int | None = None
    bytes: int = 0


class Target(Protocol):
    """Takes an export, from its beginning or from where it was left."""

    written: Written

    def write(self, text: bytes, events: Sequence[StoredEvent] = ()) -> None:
        """Take what comes next, and the events that it is of."""
        ...


class Stream:
    """A target that can't be gone on with: standard output, a pipe, a device."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.written = Written()

    def write(self, text: bytes, events: Sequence[StoredEvent] = ()) -> None:
        """See Target.write."""
        self._file.write(text)
        self._file.flush()
        self.written = _advanced(self.written, text, events)


class _Note(Struct, frozen=True):
    """What is known of a file that is not complete, beside it."""

    plan: Plan
    written: Written


class File:
    """A file, and its manifest. Until it is complete it is called FILE.partial; FILE.partial.json says how far it is.

    Whoever was interrupted goes on behind the last page that was noted.
    """

    def __init__(self, path: Path, partial: IO[bytes], note: _Note | None) -> None:
        """See `opened`."""
        self._path = path
        self._partial = partial
        self._hash = sha256()
        self._noted_at = monotonic()
        #: What it is of, None where it is new.
        self.plan = note.plan if note else None
        self.written = note.written if note else Written()
        self._find_place()

    @classmethod
    @contextmanager
    def opened(cls, path: Path, order: Order, *, from_scratch: bool, resumable: bool = True) -> Iterator["File"]:
        """Open `path` for an export of `order`; go on with one that was interrupted, if `resumable`.

        `from_scratch` starts anew, and replaces a file that is there. Raises TargetError where there is one and it is
        not to be replaced, where another export of that name was begun or is under way, and where it can't be written.
        """
        if path.exists() and not from_scratch:
            raise TargetError(f"{path} is there already; --from-scratch replaces it")
        try:
            partial = atomic_files.begin(path)
        except atomic_files.BusyError as error:
            raise TargetError(str(error)) from None
        except OSError as error:
            raise TargetError(f"{atomic_files.partial_of(path)}: {error.strerror}") from None
        with partial:
            note = _noted(path, partial) if resumable and not from_scratch else None
            if note and note.plan.order != order:
                raise TargetError(f"{path} was begun as another export; --from-scratch starts anew")
            yield cls(path, partial, note)

    def begin(self, plan: Plan) -> None:
        """Settle what a new file is of."""
        self.plan = plan
        self.note()

    def write(self, text: bytes, events: Sequence[StoredEvent] = ()) -> None:
        """See Target.write."""
        self._partial.write(text)
        self._hash.update(text)
        self.written = _advanced(self.written, text, events)
        if monotonic() - self._noted_at > _NOTE_PAUSE:
            self.note()

    def note(self) -> None:
        """Make durable what was written, and then how far that is."""
        assert self.plan is not None
        self._partial.flush()
        os.fdatasync(self._partial.fileno())
        atomic_files.write_whole(_note_of(self._path), msgspec.json.encode(_Note(self.plan, self.written)))
        self._noted_at = monotonic()

    def finish(self, text: bytes) -> Manifest:
        """Take what comes last; give the complete file its name, and its manifest."""
        assert self.plan is not None
        self._partial.write(text)
        self._partial.flush()
        self._hash.update(text)
        made = Manifest(
            file=self._path.name,
            format=self.plan.order.format,
            filter=self.plan.order.filter,
            count=self.written.count,
            first_position=self.written.first,
            last_position=self.written.last,
            log=self.plan.log,
            bytes=self.written.bytes + len(text),
            sha256=self._hash.hexdigest(),
        )
        # A manifest never stands beside a file that it is not of, nor a file without its manifest: what is replaced
        # goes first, and the file gets its name last.
        manifest.path_of(self._path).unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        atomic_files.write_whole(manifest.path_of(self._path), manifest.encode(made))
        atomic_files.publish(atomic_files.partial_of(self._path), self._path)
        _note_of(self._path).unlink()
        return made

    def _find_place(self) -> None:
        """Go to the end of what was written, and hash it on the way."""
        left = self.written.bytes
        while left and (block := self._partial.read(min(left, _BLOCK))):
            self._hash.update(block)
            left -= len(block)
        self._partial.truncate()


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial.json")


def _noted(path: Path, partial: IO[bytes]) -> _Note | None:
    """Read how far an interrupted export is, None where there is none, or less is there than was noted."""
    with suppress(OSError, msgspec.DecodeError):
        note = msgspec.json.decode(_note_of(path).read_bytes(), type=_Note)
        if os.fstat(partial.fileno()).st_size >= note.written.bytes:
            return note
    return None


def _advanced(before: Written, text: bytes, events: Sequence[StoredEvent]) -> Written:
    if not events:
        return Written(before.count, before.first, before.last, before.bytes + len(text))
    first = events[0].position if before.first is None else before.first
    return Written(before.count + len(events), first, events[-1].position, before.bytes + len(text))
