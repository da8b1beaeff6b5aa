"""An index of intervals by the positions that they contain: a relational interval tree (Kriegel et al., VLDB 2000).

The numbers 1, 2, 3, ... are the nodes of a binary tree. The odd numbers are its leaves, and a number is the higher the
more often it can be halved. An interval belongs to its highest number, its node. Each interval that contains a position
belongs to one of the few nodes above that position, one on each level. The intervals of a node have its number in
common, so of disjoint intervals at most one belongs to it.
"""


def node_of(first: int, last: int) -> int:
    """Return the node of the interval from `first` to `last`, both included and above 0."""
    differing = ((first - 1) ^ last).bit_length() - 1
    return last >> differing << differing


def nodes_above(position: int) -> list[int]:
    """Return the nodes of all intervals that contain `position`: one for each level of the 63-bit numbers."""
    # Of two neighbours on or above a level, the odd one is on that level.
    return [((position >> level) | 1) << level for level in range(63)]
