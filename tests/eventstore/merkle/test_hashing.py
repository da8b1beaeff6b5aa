"""The tree compared with the definitions of RFC 9162 and with the known roots of Certificate Transparency."""

from functools import cache
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.merkle import hashing

LEAVES = [hashing.leaf_hash(number.to_bytes(4)) for number in range(66_000)]

#: The eight leaves that Certificate Transparency implementations test with, and the root after each.
KNOWN_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@cache
def mth(start: int, end: int) -> bytes:
    """Return MTH(D[start:end]) of LEAVES, as section 2.1.1 defines it: split at the largest power of two below n."""
    n = end - start
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return LEAVES[start]
    k = 1
    while k * 2 < n:
        k *= 2
    return sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


def grown(cuts: list[int]) -> tuple[hashing.Frontier, list[hashing.Tile]]:
    """Append LEAVES in parts that end at `cuts`."""
    frontier: hashing.Frontier = ()
    tiles: list[hashing.Tile] = []
    for start, end in pairwise([0, *cuts]):
        frontier, completed = hashing.append(start, frontier, LEAVES[start:end])
        tiles += completed
    return frontier, tiles


def test_the_roots_are_those_of_certificate_transparency() -> None:
    frontier: hashing.Frontier = ()
    for size, (leaf, root) in enumerate(zip(KNOWN_LEAVES, KNOWN_ROOTS, strict=True)):
        frontier, _ = hashing.append(size, frontier, [hashing.leaf_hash(bytes.fromhex(leaf))])
        assert hashing.root(frontier).hex() == root


def test_the_root_of_the_empty_tree_is_the_hash_of_no_bytes() -> None:
    assert hashing.root(()).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hashing.append(0, (), []) == ((), [])


def test_each_leaf_gives_the_root_that_the_rfc_defines() -> None:
    frontier: hashing.Frontier = ()
    for size in range(301):
        assert hashing.root(frontier) == mth(0, size)
        assert len(frontier) == size.bit_count()
        frontier, _ = hashing.append(size, frontier, [LEAVES[size]])


@given(st.lists(st.integers(0, 90), max_size=12))
def test_appends_of_any_length_build_the_same_tree(lengths: list[int]) -> None:
    cuts = [sum(lengths[: count + 1]) for count in range(len(lengths))]
    frontier, tiles = grown(cuts)
    size = sum(lengths)
    assert hashing.root(frontier) == mth(0, size)
    assert (frontier, tiles) == grown(list(range(1, size + 1)))


@pytest.mark.parametrize("run", [1000, 65_537])
def test_a_tile_is_the_root_of_its_complete_subtree(run: int) -> None:
    size = len(LEAVES)
    frontier, tiles = grown([*range(run, size, run), size])
    expected = {(1, index): mth(index * 256, (index + 1) * 256) for index in range(257)} | {(2, 0): mth(0, 65_536)}
    assert {(level, index): hashed for level, index, hashed in tiles} == expected
    assert len(tiles) == len(expected)
    assert hashing.root(frontier) == mth(0, size)


@pytest.mark.parametrize(
    ("start", "end", "complete"), [(0, 255, []), (255, 256, [0]), (256, 511, []), (200, 800, [0, 1, 2])]
)
def test_a_tile_is_returned_with_its_last_leaf(start: int, end: int, complete: list[int]) -> None:
    frontier, _ = grown([start])
    _, tiles = hashing.append(start, frontier, LEAVES[start:end])
    assert [(level, index) for level, index, _ in tiles] == [(1, index) for index in complete]


def test_a_frontier_is_packed_end_to_end() -> None:
    for size in range(70):
        frontier, _ = grown([size])
        packed = hashing.pack(frontier)
        assert packed == b"".join(frontier)
        assert hashing.unpack(packed) == frontier


def test_a_leaf_can_not_pass_for_an_interior_node() -> None:
    left, right = LEAVES[:2]
    assert hashing.node_hash(left, right) != hashing.leaf_hash(left + right)
    assert hashing.node_hash(left, right) != hashing.node_hash(right, left)
