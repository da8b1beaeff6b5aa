"""Verify that a log is intact: every event's hash, data, item, version and time, and the tree against earlier heads.

The events may come from a database or from a file. Memory is bounded: four bytes an event, for each item's version.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

from eventstore.codec import LEAF, check, encode_leaf
from eventstore.errors import CorruptEventError, TamperedError, UnknownEventTypeError
from eventstore.merkle import hashing
from eventstore.merkle.tree_head import TreeHead

#: The values of the columns in codec.LEAF, and the recorded hash of the leaf.
Row = Sequence[Any]
#: Compares computed roots with the stored ones; raises TamperedError where they differ.
Compare = Callable[[Sequence[hashing.Tile]], None]

_LEAF_SIZE = len(LEAF)
_TYPE, _DATA = LEAF.index("type"), LEAF.index("data")
#: 9999-12-31T23:59:59.999999Z: the last time that RFC 3339 can write.
_LAST_TIME_MICROSECONDS = 253_402_300_799_999_999


class Verification:
    """Verifies a log from its first event on, and stops at the first fault."""

    def __init__(
        self,
        known_heads: Iterable[TreeHead] = (),
        compare: Compare = lambda tiles: None,
        unknown_types: Counter[str] | None = None,
    ) -> None:
        """Verify against heads that the log must have had, and compare computed roots by `compare`.

        `unknown_types` counts the events by type whose data this version cannot decode: only their JSON is checked.
        Raises TamperedError where a known head of the empty log has the wrong root.
        """
        self.size = 0
        self.frontier: hashing.Frontier = ()
        #: The last event's time.
        self.recorded_at = 0
        self._known_heads = sorted(known_heads, key=lambda head: head.size, reverse=True)
        self._compare = compare
        self._unknown_types = Counter[str]() if unknown_types is None else unknown_types
        #: By position: the version of the item created there, 0 where none was.
        self._versions = array("I", [0])
        #: The size of the last known head that matched.
        self._verified = 0
        self._reach_known()

    @property
    def root(self) -> bytes:
        """The root of the tree of all events so far."""
        return hashing.root(self.frontier)

    def add(self, rows: Iterable[Row]) -> None:
        """Check the next events. Raises TamperedError for the first invalid event, or for a wrong head before it."""
        hashes: list[bytes] = []
        position = self.size
        try:
            for row in rows:
                position += 1
                hashes.append(self._check(position, row))
        except TamperedError:
            self._grow(hashes)  # a fault before it comes first
            raise
        self._grow(hashes)

    def finish(self) -> None:
        """Check that the log does not end before a known head. Raises TamperedError."""
        if self._known_heads:
            longest = self._known_heads[0].size
            raise TamperedError(self.size + 1, f"it is missing: a checkpoint covers {longest:,} events")

    def _check(self, position: int, row: Row) -> bytes:
        """Check the event at `position` and return its leaf hash."""
        if row[0] != position:
            raise TamperedError(position, f"expected position {position}, found {row[0]}")
        try:
            hashed = sha256(b"\x00" + encode_leaf(tuple(row[:_LEAF_SIZE]))).digest()
            if hashed != row[_LEAF_SIZE]:
                raise TamperedError(position, "its content does not match its stored hash")
            if row[4] < self.recorded_at:
                raise TamperedError(position, "its time is before the previous event's time")
            if row[4] > _LAST_TIME_MICROSECONDS:
                raise TamperedError(position, "its time is after the year 9999")
            self.recorded_at = row[4]
            self._follow(position, row[1], row[2])
            self._check_data(position, row[_TYPE], row[_DATA])
        except (TypeError, ValueError) as error:  # a text that is not UTF-8, a value of another type
            raise TamperedError(position, f"it has an invalid value: {error}") from None
        return hashed

    def _check_data(self, position: int, type: str, data: str) -> None:
        try:
            check(position, type, data)
        except UnknownEventTypeError:
            self._unknown_types[type] += 1
        except CorruptEventError as error:
            reason = f"its data is not that of an event of type {type!r}: {error.reason}"
            raise TamperedError(position, reason) from None

    def _follow(self, position: int, item_id: int, version: int) -> None:
        """Check that `version` is the item's next. An item's id is the position of the event that created it."""
        versions = self._versions
        if item_id == position:
            reached = 0
            versions.append(1)
        elif 0 < item_id < position and versions[item_id]:
            reached = versions[item_id]
            versions[item_id] = reached + 1
            versions.append(0)
        else:
            raise TamperedError(
                position, f"it belongs to item {item_id}, but the log has no creation event for that item"
            )
        if version != reached + 1:
            raise TamperedError(position, f"expected version {reached + 1} of item {item_id}, found {version}")

    def _grow(self, hashes: list[bytes]) -> None:
        """Extend the tree, and stop at each known head to compare it."""
        while hashes:
            ahead = self._known_heads[-1].size - self.size if self._known_heads else len(hashes)
            portion, hashes = hashes[:ahead], hashes[ahead:]
            self.frontier, tiles = hashing.append(self.size, self.frontier, portion)
            self.size += len(portion)
            self._compare(tiles)
            self._reach_known()

    def _reach_known(self) -> None:
        while self._known_heads and self._known_heads[-1].size == self.size:
            if self._known_heads.pop().root != self.root:
                first, last = min(self._verified + 1, self.size), self.size
                raise TamperedError(
                    first,
                    f"the tree root at {last:,} events does not match the checkpoint: "
                    f"an event between {first:,} and {last:,} was changed",
                )
            self._verified = self.size
