"""Which of many intervals contain a position, by an index: a relational interval tree (Kriegel et al., VLDB 2000).

The numbers 1, 2, 3, ... are the nodes of a binary tree: the odd ones are its leaves, and a number is the higher the
more often it can be halved. An interval belongs to its highest number, its node. Whatever contains a position belongs
to one of the few nodes above that position, one on each level. The intervals of a node have this number in common: of
disjoint ones, at most one belongs to it.
"""


def node_of(first: int, last: int) -> int:
    """Give the node of the interval from `first` to `last`, both included and above 0."""
    differing = ((first - 1) ^ last).bit_length() - 1
    return last >> differing << differing


def nodes_above(position: int) -> list[int]:
    """Give the nodes of all intervals that contain `position`: one for each level of the numbers of 63 bits."""
    # Of two neighbours on a level and above it, the odd one is on that level.
    return [((position >> level) | 1) << level for level in range(63)]
