"""The Merkle tree in the database: its root at any size, and proofs, each computed from some hundred hashes.

The database stores the leaves' hashes, the roots of complete subtrees of 256, 65,536, ... leaves, and the frontier of
the whole tree. The hashes in between are computed. This module never writes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from eventstore.database.parameters import in_ids, numbers
from eventstore.errors import InconsistentLogError
from eventstore.log.head import read_head
from eventstore.log.tables import events, log_tiles
from eventstore.merkle import hashing
from eventstore.merkle.proofs import Span, Subtree, consistency_spans, inclusion_spans, subtrees


class Tree:
    """The tree at one moment, if all reads of the connection see one snapshot."""

    def __init__(self, connection: Connection) -> None:
        """Read the head. Raises InconsistentLogError where its frontier does not fit its size."""
        self._connection = connection
        head = read_head(connection)
        self.size = head.position
        if len(head.frontier) != self.size.bit_count():
            raise InconsistentLogError(f"the head's frontier does not fit a tree of {self.size} leaves")
        self._known: dict[Subtree, bytes] = dict(zip(subtrees((0, self.size)), head.frontier, strict=True))

    def root(self, size: int) -> bytes:
        """Return the tree's root at `size` leaves, at most its size now."""
        return self._roots([(0, size)])[0]

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the hashes that prove leaf `index` in the tree of `size` leaves, from the leaf's sibling up."""
        return self._roots(inclusion_spans(index, size))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the hashes that prove that the tree of `new` leaves extends that of `old` leaves."""
        return self._roots(consistency_spans(old, new))

    def _roots(self, spans: Sequence[Span]) -> list[bytes]:
        """Return the roots of spans. Raises InconsistentLogError where a stored hash is missing."""
        parts_of = [subtrees(span) for span in spans]
        self._compute({subtree for parts in parts_of for subtree in parts} - self._known.keys())
        return [hashing.root(tuple(self._known[subtree] for subtree in parts)) for parts in parts_of]

    def _compute(self, missing: Iterable[Subtree]) -> None:
        """Compute the roots of complete subtrees from the stored roots below them."""
        below = {subtree: stored_below(subtree) for subtree in missing}
        by_level: dict[int, set[int]] = defaultdict(set)
        for level, indexes in below.values():
            by_level[level].update(indexes)
        found = {level: self._read(level, indexes) for level, indexes in by_level.items()}
        for subtree, (level, indexes) in below.items():
            self._known[subtree] = hashing.complete_root([found[level][index] for index in indexes])

    def _read(self, level: int, indexes: set[int]) -> dict[int, bytes]:
        """Return stored roots by their index; at level 0 the leaves' hashes."""
        connection = self._connection
        if level:
            statement = select(log_tiles.c.index, log_tiles.c.hash).where(log_tiles.c.level == level)
            column, first = log_tiles.c.index, 0
        else:
            statement = select(events.c.position, events.c.leaf_hash)
            column, first = events.c.position, 1
        ids = numbers(connection, (index + first for index in indexes))
        rows = connection.execute(statement.where(in_ids(connection, column, "ids")), {"ids": ids})
        found = {number - first: hashed for number, hashed in rows}
        if missing := indexes - found.keys():
            index, span = min(missing), hashing.TILE_WIDTH_BITS * level
            root = f"the root of the events {(index << span) + 1:,} to {(index + 1) << span:,}"
            raise InconsistentLogError(f"{root if level else f'event {index + 1}'} is missing")
        return found


def stored_below(subtree: Subtree) -> tuple[int, range]:
    """Return the stored roots that a complete subtree's root is computed from: a level, and at most 128 indexes there.

    A root at level l covers 256**l leaves.
    """
    height, index = subtree
    level, above = divmod(height, hashing.TILE_WIDTH_BITS)
    return level, range(index << above, (index + 1) << above)
