"""Which hashes prove that an event is in the log, or that the log only grew, and whether they do. Pure.

A proof's hashes are roots of spans of the leaves; RFC 9162 says of which (sections 2.1.3.1 and 2.1.4.1). Whoever has
them puts the roots of whole trees together from them, as the tree is defined, and compares.
"""

from collections.abc import Mapping, Sequence

from eventstore.errors import ProofError
from eventstore.merkle.hashing import node_hash, root

#: The leaves [start, end).
Span = tuple[int, int]
#: (height, index): the complete subtree over the leaves [index << height, (index + 1) << height).
Subtree = tuple[int, int]


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Give the spans whose roots prove that leaf `index` is in the tree of `size` leaves: PATH(m, D_n), leaf first.

    `index` is below `size`.
    """
    start, end = 0, size
    spans = []
    while end - start > 1:
        middle = _middle(start, end)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Give the spans whose roots prove that the tree of `new` leaves extends the one of `old`: PROOF(m, D_n).

    `old` is at most `new`. Nothing is needed where they are the same, or where the old tree was empty.
    """
    start, end = 0, new if old else 0
    spans = []
    while end > old:
        middle = _middle(start, end)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start:  # else it is the whole old tree, whose root is known
        spans.append((start, end))
    return spans[::-1]


def _middle(start: int, end: int) -> int:
    """Split a span where the tree does: what is left of it is the largest power of two below its length."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def subtrees(span: Span) -> list[Subtree]:
    """Give the complete subtrees that a span of a proof, or a whole tree, is made of, from left to right.

    Their roots are the span's frontier: `merkle.root` of them is its root.
    """
    start, end = span
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        found.append((height, start >> height))
        start += 1 << height
    return found


def root_of_inclusion(index: int, size: int, leaf_hash: bytes, hashes: Sequence[bytes]) -> bytes:
    """Give the root of the tree of `size` leaves that has `leaf_hash` at `index`, by the hashes of its proof.

    That the leaf is there is proven where this is the root that was published. Raises ProofError where there is no such
    leaf, or where these are not as many hashes as its proof has.
    """
    if not 0 <= index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {index}")
    known = _known(inclusion_spans(index, size), hashes)
    return _root((0, size), {**known, (index, index + 1): leaf_hash})


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, hashes: Sequence[bytes]) -> None:
    """Raise ProofError unless `hashes` prove that the tree of `new` leaves extends the one of `old`.

    Every tree extends the empty one, of which the RFC says nothing.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} leaves can't extend one of {old}")
    spans = consistency_spans(old, new)
    # Where the proof has nothing of the old tree, that is a subtree of the new one, and stands in it for itself.
    known = _known(spans, hashes) | ({} if any(end <= old for _, end in spans) else {(0, old): old_root})
    if old == 0 and old_root != root(()):
        raise ProofError("the old root is not that of an empty tree")
    if old and _root((0, old), known) != old_root:
        raise ProofError("its hashes do not lead to the old root")
    if old and _root((0, new), known) != new_root:
        raise ProofError("its hashes do not lead to the new root")


def _known(spans: Sequence[Span], hashes: Sequence[bytes]) -> dict[Span, bytes]:
    if len(hashes) != len(spans):
        raise ProofError(f"it has {len(hashes)} hashes, and should have {len(spans)}")
    return dict(zip(spans, hashes, strict=True))


def _root(span: Span, known: Mapping[Span, bytes]) -> bytes:
    """Give the root of `span` from the roots of those that are `known`, which make it up."""
    if span in known:
        return known[span]
    start, end = span
    middle = _middle(start, end)
    return node_hash(_root((start, middle), known), _root((middle, end), known))
