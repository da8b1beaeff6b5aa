"""Brings the history of another log into an empty one, from a jsonl export of all of it.

It is one transaction, whatever the size: the log and every projection are there whole, or nothing is. A log that was
half filled could not be emptied again, since its events can't be deleted, and a service that was started on it would go
on from there. Both databases write to disk what they can't hold in memory; this holds one page of the file.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import IO

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from api.event_body import EventDocument, stored
from api.export.manifest import Manifest, Tree
from eventstore import merkle
from eventstore.database import Database
from eventstore.dialect import unhurried
from eventstore.errors import NotEmptyError
from eventstore.history import StoredEvent
from eventstore.unit_of_work import unit_of_work
from projections import PROJECTIONS
from projections.live import LiveProjections

#: Events of one page.
_PAGE = 2_000
#: Bytes of a line, at most. An event is made of one request, whose body is shorter than this.
_LONGEST = 1 << 24

_decoder = msgspec.json.Decoder(EventDocument)


class ImportRefusedError(Exception):
    """A file is not what it is said to be; the message says in which way. Nothing of it was kept."""


class Known(Struct, frozen=True):
    """What the log is known to be: a tree, and who says so."""

    tree: Tree
    source: str


class Progress(Struct, frozen=True):
    """How far an import has come: events, and bytes of the file."""

    count: int
    read: int
    size: int
    #: Events a second.
    rate: float
    #: Seconds until the end, at that rate.
    eta: float


async def import_file(
    database: Database, path: Path, known: Sequence[Known], manifest: Manifest | None, tell: Callable[[Progress], None]
) -> Tree:
    """Bring the events of `path` into an empty log and its projections; give the tree that they make.

    Raises ImportRefusedError where the file is not what `manifest` and `known` say, RefusedEventError for the first
    event that is not what it should be, NotEmptyError, UnavailableError, OSError. Nothing was kept then.
    """
    stopped = False

    def work(connection: Connection) -> Tree:
        with path.open("rb") as file, unit_of_work(connection, [LiveProjections(PROJECTIONS)]) as unit:
            unhurried(connection)
            if unit.head.position:
                raise NotEmptyError(unit.head.position)
            reader, began = _Reader(file), monotonic()
            size = path.stat().st_size
            for page in _cut(reader, sorted(one.tree.size for one in known)):
                if stopped:
                    raise asyncio.CancelledError
                unit.take_over(page)
                _compare(known, unit.head.position, unit.head.frontier)
                seconds = max(monotonic() - began, 1e-6)
                left = seconds * (size / reader.read - 1)
                tell(Progress(reader.count, reader.read, size, round(reader.count / seconds), left))
            _compare_end(known, manifest, reader)
            return Tree(unit.head.position, merkle.root(unit.head.frontier).hex())

    try:
        return await database.write(work)
    except asyncio.CancelledError:
        stopped = True  # it may go on in a thread
        raise


class _Reader:
    """The events of a file, one line after another."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = sha256()
        #: How many events and how many bytes were read.
        self.count = 0
        self.read = 0

    @property
    def sha256(self) -> str:
        """The hash of what was read, in hexadecimal."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[StoredEvent]:
        while line := self._file.readline(_LONGEST):
            self._hash.update(line)
            self.count += 1
            self.read += len(line)
            if not line.endswith(b"\n"):
                raise ImportRefusedError(f"line {self.count} is cut off")
            try:
                yield stored(_decoder.decode(line))
            except ValueError as error:
                raise ImportRefusedError(f"line {self.count} is no event: {error}") from None


def _cut(reader: _Reader, sizes: Sequence[int]) -> Iterator[list[StoredEvent]]:
    """Give events page by page, so that a page ends where the log has one of `sizes`."""
    events, cuts = iter(reader), iter(sizes)
    cut = next(cuts, None)
    while True:
        while cut is not None and cut <= reader.count:
            cut = next(cuts, None)
        page = list(islice(events, _PAGE if cut is None else min(_PAGE, cut - reader.count)))
        if not page:
            return
        yield page


def _compare(known: Sequence[Known], size: int, frontier: merkle.Frontier) -> None:
    for one in known:
        if one.tree.size == size and one.tree.root != (root := merkle.root(frontier).hex()):
            raise ImportRefusedError(
                f"at {size} events the root is {root}, and not {one.tree.root} as {one.source} says"
            )


def _compare_end(known: Sequence[Known], manifest: Manifest | None, reader: _Reader) -> None:
    for one in known:
        if one.tree.size > reader.count:
            raise ImportRefusedError(f"it has {reader.count} events, and not {one.tree.size} as {one.source} says")
    if manifest is not None and (reader.sha256, reader.read) != (manifest.sha256, manifest.bytes):
        raise ImportRefusedError(f"its SHA-256 is {reader.sha256}, and not {manifest.sha256} as its manifest says")
