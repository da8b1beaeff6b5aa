"""Inclusion and consistency proofs: which hashes they need, and how to verify them. Pure.

A proof's hashes are roots of spans of the leaves, which RFC 9162 defines (sections 2.1.3.1 and 2.1.4.1). A verifier
computes the roots of whole trees from them, as the tree is defined, and compares.
"""

from collections.abc import Callable, Mapping, Sequence

from eventstore.errors import ProofError
from eventstore.merkle.hashing import node_hash, root

#: The leaves [start, end).
Span = tuple[int, int]
#: (height, index): the complete subtree over the leaves [index << height, (index + 1) << height).
Subtree = tuple[int, int]


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Return the spans whose roots prove that leaf `index` is in the tree of `size` leaves: PATH(m, D_n), leaf first.

    `index` must be below `size`.
    """
    return _siblings((0, size), index, lambda start, end: end - start == 1)[1:]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Return the spans whose roots prove that the tree of `new` leaves extends that of `old` leaves: PROOF(m, D_n).

    `old` must be at most `new`. There are none where they are equal, or where the old tree was empty.
    """
    if not old:
        return []
    spans = _siblings((0, new), old - 1, lambda _, end: end == old)
    return spans if spans[0] != (0, old) else spans[1:]  # the verifier has the root of the whole old tree


def _siblings(span: Span, leaf: int, reached: Callable[[int, int], bool]) -> list[Span]:
    """Split `span` towards `leaf` until a part is `reached`; return it and the parts split off, last to first."""
    start, end = span
    if reached(start, end):
        return [span]
    middle = _middle(start, end)
    if leaf < middle:
        return [*_siblings((start, middle), leaf, reached), (middle, end)]
    return [*_siblings((middle, end), leaf, reached), (start, middle)]


def _middle(start: int, end: int) -> int:
    """Return where the tree splits a span: after the largest power of two below its length."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def subtrees(span: Span) -> list[Subtree]:
    """Return the complete subtrees that make up a span of a proof, or a whole tree, from left to right.

    Their roots are the span's frontier, so `hashing.root` of them is its root.
    """
    start, end = span
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        found.append((height, start >> height))
        start += 1 << height
    return found


def root_of_inclusion(index: int, size: int, leaf_hash: bytes, hashes: Sequence[bytes]) -> bytes:
    """Return the root of the tree of `size` leaves with `leaf_hash` at `index`, computed from its proof's hashes.

    The leaf is proven if this is the published root. Raises ProofError where the index is out of range, or the number
    of hashes is wrong.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    known = _by_span(inclusion_spans(index, size), hashes)
    return _root((0, size), {**known, (index, index + 1): leaf_hash})


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, hashes: Sequence[bytes]) -> None:
    """Raise ProofError unless `hashes` prove that the tree of `new` leaves extends the one of `old`.

    Every tree extends the empty one, which the RFC does not cover.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves cannot extend a tree of {old} leaves")
    spans = consistency_spans(old, new)
    # Where no hash of the proof is of the old tree, the old tree is a subtree of the new one: use its root as a hash.
    known = _by_span(spans, hashes) | ({} if any(end <= old for _, end in spans) else {(0, old): old_root})
    if old == 0 and old_root != root(()):
        raise ProofError("the old root is not the root of an empty tree")
    if old and _root((0, old), known) != old_root:
        raise ProofError("its hashes do not match the old root")
    if old and _root((0, new), known) != new_root:
        raise ProofError("its hashes do not match the new root")


def _by_span(spans: Sequence[Span], hashes: Sequence[bytes]) -> dict[Span, bytes]:
    if len(hashes) != len(spans):
        raise ProofError(f"it has {len(hashes)} hashes but needs {len(spans)}")
    return dict(zip(spans, hashes, strict=True))


def _root(span: Span, known: Mapping[Span, bytes]) -> bytes:
    """Return the root of `span`, computed from the roots of the `known` spans in it."""
    if span in known:
        return known[span]
    start, end = span
    middle = _middle(start, end)
    return node_hash(_root((start, middle), known), _root((middle, end), known))
