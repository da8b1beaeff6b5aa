"""The Merkle tree as the database holds it: the root it had at any size, and proofs, each from some hundred hashes.

Stored are the leaves' hashes, the roots of complete subtrees of 256, 65,536, ... leaves, and the frontier of the whole.
What lies between is hashed anew. Nothing here writes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from eventstore.database.dialect import in_ids, numbers
from eventstore.errors import InconsistentLogError
from eventstore.log import log
from eventstore.log.tables import events, log_tiles
from eventstore.merkle import hashing
from eventstore.merkle.proofs import Span, Subtree, consistency_spans, inclusion_spans, subtrees


class Tree:
    """The tree as it is at one moment: as long as the connection's reads are of that moment."""

    def __init__(self, connection: Connection) -> None:
        """Read the head. Raises InconsistentLogError where its frontier can't be that of a tree of its size."""
        self._connection = connection
        head = log.read_head(connection)
        self.size = head.position
        if len(head.frontier) != self.size.bit_count():
            raise InconsistentLogError(f"the head's frontier is not that of a tree of {self.size} leaves")
        self._known: dict[Subtree, bytes] = dict(zip(subtrees((0, self.size)), head.frontier, strict=True))

    def root(self, size: int) -> bytes:
        """Give the root that the tree had when it had `size` leaves; it has at least as many now."""
        return self._roots([(0, size)])[0]

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Give the hashes that prove that leaf `index` is in the tree of `size` leaves, from the leaf's sibling up."""
        return self._roots(inclusion_spans(index, size))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Give the hashes that prove that the tree of `new` leaves extends the one of `old`."""
        return self._roots(consistency_spans(old, new))

    def _roots(self, spans: Sequence[Span]) -> list[bytes]:
        """Give the roots of spans. Raises InconsistentLogError where a hash that they are made of is gone."""
        made_of = [subtrees(span) for span in spans]
        self._learn({subtree for parts in made_of for subtree in parts} - self._known.keys())
        return [hashing.root(tuple(self._known[subtree] for subtree in parts)) for parts in made_of]

    def _learn(self, wanted: Iterable[Subtree]) -> None:
        """Work out the roots of complete subtrees from what is stored below them."""
        below = {subtree: stored_below(subtree) for subtree in wanted}
        by_level: dict[int, set[int]] = defaultdict(set)
        for level, indexes in below.values():
            by_level[level].update(indexes)
        found = {level: self._read(level, indexes) for level, indexes in by_level.items()}
        for subtree, (level, indexes) in below.items():
            self._known[subtree] = hashing.complete_root([found[level][index] for index in indexes])

    def _read(self, level: int, indexes: set[int]) -> dict[int, bytes]:
        """Give stored roots by their index; at level 0 they are the leaves' hashes."""
        connection = self._connection
        if level:
            statement = select(log_tiles.c.index, log_tiles.c.hash).where(log_tiles.c.level == level)
            column, first = log_tiles.c.index, 0
        else:
            statement = select(events.c.position, events.c.leaf_hash)
            column, first = events.c.position, 1
        wanted = numbers(connection, (index + first for index in indexes))
        rows = connection.execute(statement.where(in_ids(connection, column, "wanted")), {"wanted": wanted})
        found = {place - first: hashed for place, hashed in rows}
        if gone := indexes - found.keys():
            raise InconsistentLogError(_gone(level, min(gone)))
        return found


def stored_below(subtree: Subtree) -> tuple[int, range]:
    """Give the stored roots that a complete subtree's is worked out from: a level, and indexes there, at most 128.

    At level l a root is that of 256**l leaves.
    """
    height, index = subtree
    level, above = divmod(height, hashing.TILE_WIDTH_BITS)
    return level, range(index << above, (index + 1) << above)


def _gone(level: int, index: int) -> str:
    if level == 0:
        return f"event {index + 1} is gone"
    span = hashing.TILE_WIDTH_BITS * level
    return f"the root of the events {(index << span) + 1:,} to {(index + 1) << span:,} is gone"
