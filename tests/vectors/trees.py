"""Vectors of trees and proofs, by the definitions of RFC 9162 in the tests of the Python code."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.eventstore.merkle.test_hashing import KNOWN_LEAVES, KNOWN_ROOTS, LEAVES, mth
from tests.eventstore.merkle.test_proofs import path, subproof

_LARGEST = 20
#: Sizes at which every proof is written.
_SIZES = (1, 2, 3, 5, 7, 8, 13)
#: The largest number that a double has exactly.
_SAFE = 2**53 - 1
_OTHER = LEAVES[_LARGEST + 1]


def build() -> dict[str, Any]:
    """Return the roots of small trees, and valid and corrupted proofs."""
    return {
        "leaves": KNOWN_LEAVES,
        "known_roots": KNOWN_ROOTS,
        "leaf_hashes": [hashed.hex() for hashed in LEAVES[:_LARGEST]],
        "roots": [mth(0, size).hex() for size in range(_LARGEST + 1)],
        "inclusion": [*_inclusion(), *_corrupted_inclusion()],
        "consistency": [*_consistency(), *_corrupted_consistency()],
    }


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [hashed.hex() for hashed in hashes]


def _included(name: str, index: int, size: int, hashes: Sequence[bytes], **changes: Any) -> dict[str, Any]:
    """Return a case; `reason` says why the proof fails, null if it holds."""
    leaf, root = LEAVES[index] if 0 <= index < _LARGEST else LEAVES[0], mth(0, size) if size < _SAFE else LEAVES[0]
    case = {"name": name, "index": index, "size": size, "leaf_hash": leaf.hex(), "hashes": _hex(hashes)}
    return {**case, "root": root.hex(), "reason": None, **changes}


def _inclusion() -> Iterator[dict[str, Any]]:
    for size in (*_SIZES, _LARGEST):
        for index in range(size):
            yield _included(f"leaf {index} of {size}", index, size, path(index, 0, size))


def _corrupted_inclusion() -> Iterator[dict[str, Any]]:
    right, wrong = path(5, 0, 13), "its hashes do not lead to the root"
    yield _included("another leaf", 5, 13, right, leaf_hash=_OTHER.hex(), reason=wrong)
    yield _included("another root", 5, 13, right, root=_OTHER.hex(), reason=wrong)
    yield _included("another index", 4, 13, right, leaf_hash=LEAVES[5].hex(), reason=wrong)
    yield _included("an index after the leaf", 13, 13, right, reason="a tree of 13 leaves has no leaf 13")
    yield _included("a negative index", -1, 13, right, reason="a tree of 13 leaves has no leaf -1")
    yield _included("an empty tree", 0, 0, [], reason="a tree of 0 leaves has no leaf 0")
    yield _included("another size", 5, 20, right, reason="it has 4 hashes but needs 5")
    yield _included("no hashes", 5, 13, [], reason="it has 0 hashes but needs 4")
    for place in range(len(right)):
        changed, missing = [*right], [*right]
        changed[place] = _OTHER
        del missing[place]
        yield _included(f"hash {place} changed", 5, 13, changed, reason=wrong)
        yield _included(f"hash {place} missing", 5, 13, missing, reason="it has 3 hashes but needs 4")
        yield _included(
            f"hash {place} twice", 5, 13, [*right[:place], right[place], *right[place:]],
            reason="it has 5 hashes but needs 4",
        )  # fmt: skip
    yield _included("two hashes swapped", 5, 13, [right[1], right[0], *right[2:]], reason=wrong)
    yield _included("hashes from the root", 5, 13, right[::-1], reason=wrong)
    yield _included("the largest exact size", _SAFE - 1, _SAFE, [], reason="it has 0 hashes but needs 52")


def _grown(name: str, old: int, new: int, hashes: Sequence[bytes], **changes: Any) -> dict[str, Any]:
    roots = {"old_root": mth(0, max(old, 0)).hex(), "new_root": mth(0, new).hex()}
    return {"name": name, "old": old, "new": new, **roots, "hashes": _hex(hashes), "reason": None, **changes}


def _consistency() -> Iterator[dict[str, Any]]:
    for new in (*_SIZES, _LARGEST):
        for old in range(new + 1):
            yield _grown(f"{old} to {new}", old, new, subproof(old, 0, new, True) if old else [])


def _corrupted_consistency() -> Iterator[dict[str, Any]]:
    right = subproof(6, 0, 13, True)
    old_root, new_root = "its hashes do not match the old root", "its hashes do not match the new root"
    yield _grown("another old root", 6, 13, right, old_root=_OTHER.hex(), reason=old_root)
    yield _grown("another new root", 6, 13, right, new_root=_OTHER.hex(), reason=new_root)
    yield _grown(
        "the sizes of the roots swapped", 13, 6, right, reason="a tree of 6 leaves cannot extend a tree of 13 leaves"
    )
    yield _grown("a negative size", -1, 6, right, reason="a tree of 6 leaves cannot extend a tree of -1 leaves")
    yield _grown("another old size", 5, 13, right, old_root=mth(0, 6).hex(), reason="it has 4 hashes but needs 5")
    yield _grown("no hashes", 6, 13, [], reason="it has 0 hashes but needs 4")
    yield _grown("hashes, though the sizes are equal", 6, 6, right[:1], reason="it has 1 hashes but needs 0")
    yield _grown("equal sizes, other roots", 6, 6, [], new_root=_OTHER.hex(), reason=new_root)
    yield _grown("hashes, though the old tree is empty", 0, 6, right[:1], reason="it has 1 hashes but needs 0")
    empty = "the old root is not the root of an empty tree"
    yield _grown("a wrong root of the empty tree", 0, 6, [], old_root=_OTHER.hex(), reason=empty)
    # The old tree is a complete subtree: its root is not among the hashes.
    yield _grown("another root of a subtree", 8, 13, subproof(8, 0, 13, True), old_root=_OTHER.hex(), reason=new_root)
    for place in range(len(right)):
        changed, missing = [*right], [*right]
        changed[place] = _OTHER
        del missing[place]
        # Of 6 to 13 the second hash alone is not of the old tree but of leaves beside it, and so is the last.
        reason = new_root if place in (1, 3) else old_root
        yield _grown(f"hash {place} changed", 6, 13, changed, reason=reason)
        yield _grown(f"hash {place} missing", 6, 13, missing, reason="it has 3 hashes but needs 4")
    yield _grown("hashes in the wrong order", 6, 13, right[::-1], reason=old_root)
