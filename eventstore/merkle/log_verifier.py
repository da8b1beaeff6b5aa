"""Whether a log is intact: every event is held against its hash, the tree, its item, its time and earlier heads.

Bytes in, a verdict out: the events may come from a database or from a file. Memory is bounded: four bytes an event, for
the version that each item has come to.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

from eventstore.codec import LEAF, encode_leaf
from eventstore.errors import TamperedError
from eventstore.merkle import hashing
from eventstore.merkle.tree_head import TreeHead

#: The values of what codec.LEAF names, and the leaf's hash as it is recorded.
Row = Sequence[Any]
#: Is given stored roots that the tree must have; raises TamperedError where it is not what is stored.
Compare = Callable[[Sequence[hashing.Tile]], None]

_LEAF_SIZE = len(LEAF)
#: 9999-12-31T23:59:59.999999Z, in microseconds since the epoch: the last time that RFC 3339 can write.
_LAST_TIME = 253_402_300_799_999_999


class Verification:
    """Goes through a log from its first event on, and stops at the first thing that can't be."""

    def __init__(self, known: Iterable[TreeHead] = (), compare: Compare = lambda tiles: None) -> None:
        """Hold the log against heads that it is `known` to have had, and its tree against what `compare` knows.

        Raises TamperedError where a head of the empty log is known that is none.
        """
        self.size = 0
        self.frontier: hashing.Frontier = ()
        #: When the last event was recorded.
        self.recorded_at = 0
        self._known = sorted(known, key=lambda head: head.size, reverse=True)
        self._compare = compare
        #: By position: the version that the item which began there has come to, 0 where none began.
        self._versions = array("I", [0])
        #: The last known head that was reached, and was right.
        self._sure = 0
        self._reach_known()

    @property
    def root(self) -> bytes:
        """The root of the tree of all events so far."""
        return hashing.root(self.frontier)

    def take(self, rows: Iterable[Row]) -> None:
        """Check the next events. Raises TamperedError for the first that is wrong, and for any head before it."""
        hashes: list[bytes] = []
        position = self.size
        try:
            for row in rows:
                position += 1
                hashes.append(self._check(position, row))
        except TamperedError:
            self._grow(hashes)  # what is wrong before it comes first
            raise
        self._grow(hashes)

    def finish(self) -> None:
        """Check that the log does not end before a head that it is known to have had. Raises TamperedError."""
        if self._known:
            longest = self._known[0].size
            raise TamperedError(self.size + 1, f"it is missing: there is a checkpoint of {longest:,} events")

    def _check(self, position: int, row: Row) -> bytes:
        """Give the hash of the leaf that is to be at `position`."""
        if row[0] != position:
            raise TamperedError(position, f"position {row[0]} comes where {position} should")
        try:
            hashed = sha256(b"\x00" + encode_leaf(tuple(row[:_LEAF_SIZE]))).digest()
            if hashed != row[_LEAF_SIZE]:
                raise TamperedError(position, "it is not what its hash was made of")
            if row[4] < self.recorded_at:
                raise TamperedError(position, "its time is before that of the event before it")
            if row[4] > _LAST_TIME:
                raise TamperedError(position, "its time is after the year 9999")
            self.recorded_at = row[4]
            self._follow(position, row[1], row[2])
        except (TypeError, ValueError) as error:  # a text that is not UTF-8, a type that the column can't have
            raise TamperedError(position, f"it has a value that it can't have: {error}") from None
        return hashed

    def _follow(self, position: int, item_id: int, version: int) -> None:
        """Check that `version` is the item's next. An item's id is the position of the event that began it."""
        versions = self._versions
        if item_id == position:
            reached = 0
            versions.append(1)
        elif 0 < item_id < position and versions[item_id]:
            reached = versions[item_id]
            versions[item_id] = reached + 1
            versions.append(0)
        else:
            raise TamperedError(position, f"it is of item {item_id}, which no event began")
        if version != reached + 1:
            raise TamperedError(position, f"version {version} of item {item_id} comes where {reached + 1} should")

    def _grow(self, hashes: list[bytes]) -> None:
        """Let the tree grow, from known head to known head."""
        while hashes:
            ahead = self._known[-1].size - self.size if self._known else len(hashes)
            portion, hashes = hashes[:ahead], hashes[ahead:]
            self.frontier, tiles = hashing.append(self.size, self.frontier, portion)
            self.size += len(portion)
            self._compare(tiles)
            self._reach_known()

    def _reach_known(self) -> None:
        while self._known and self._known[-1].size == self.size:
            if self._known.pop().root != self.root:
                first, last = min(self._sure + 1, self.size), self.size
                raise TamperedError(
                    first,
                    f"the checkpoint of {last:,} events is not of these: one of {first:,} to {last:,} is another one",
                )
            self._sure = self.size
