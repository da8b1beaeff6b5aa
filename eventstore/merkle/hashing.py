"""The Merkle tree over the log, as RFC 9162 (section 2.1) defines it. Pure: bytes in, bytes out.

A tree of n leaves is represented by its *frontier*: the roots of its complete subtrees from left to right, one for each
set bit of n. That is enough to append a leaf and to compute the root, whatever n is.
"""

from collections.abc import Sequence
from hashlib import sha256

HASH_SIZE = 32
#: Leaves per tile and children per tile one level up, as in C2SP's tlog-tiles.
TILE_WIDTH_BITS = 8

Frontier = tuple[bytes, ...]
#: (level, index, hash): the root of the complete subtree over leaves [index * 256**level, (index + 1) * 256**level).
Tile = tuple[int, int, bytes]


def leaf_hash(leaf: bytes) -> bytes:
    """Hash one leaf: SHA-256(0x00 || leaf), 32 bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two siblings into their parent: SHA-256(0x01 || left || right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def append(size: int, frontier: Frontier, leaf_hashes: list[bytes]) -> tuple[Frontier, list[Tile]]:
    """Append leaves to a tree of `size` leaves; return its new frontier and the newly complete tiles.

    Amortised cost is one interior node a leaf. A tile completes every 256 leaves, one a level up every 65,536.
    """
    nodes = list(frontier)
    tiles: list[Tile] = []
    for hashed in leaf_hashes:
        node, height, left_siblings = hashed, 0, size
        # Each trailing one bit of the size is a complete subtree to the left, which the new node pairs with.
        while left_siblings & 1:
            node = node_hash(nodes.pop(), node)
            height += 1
            left_siblings >>= 1
            if height % TILE_WIDTH_BITS == 0:
                tiles.append((height // TILE_WIDTH_BITS, left_siblings, node))
        nodes.append(node)
        size += 1
    return tuple(nodes), tiles


def root(frontier: Frontier) -> bytes:
    """Return the tree's root hash, 32 bytes; for the empty tree SHA-256 of nothing (RFC 9162, 2.1.1)."""
    if not frontier:
        return sha256().digest()
    *rest, node = frontier
    for left in reversed(rest):
        node = node_hash(left, node)
    return node


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a complete subtree from the roots of its 1, 2, 4, 8, ... parts of equal height."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def pack(frontier: Frontier) -> bytes:
    """Return the frontier's hashes concatenated, as `log_head` stores them."""
    return b"".join(frontier)


def unpack(packed: bytes) -> Frontier:
    """Return the frontier that `pack` packed."""
    return tuple(packed[start : start + HASH_SIZE] for start in range(0, len(packed), HASH_SIZE))
