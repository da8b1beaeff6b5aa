"""Proofs compared with the definitions of RFC 9162, for every tree of up to 300 leaves, and with another verifier."""

import random
from collections.abc import Callable
from contextlib import suppress

import metamorphic_log
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore.errors import ProofError
from eventstore.merkle.hashing import node_hash
from eventstore.merkle.proofs import (
    Span,
    consistency_spans,
    inclusion_spans,
    root_of_inclusion,
    subtrees,
    verify_consistency,
)
from tests.eventstore.merkle.test_hashing import LEAVES, mth

LARGEST = 300


def k_of(n: int) -> int:
    """Return the largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, start: int, end: int) -> list[bytes]:
    """Return PATH(m, D[start:end]) of LEAVES, as section 2.1.3.1 defines it."""
    n = end - start
    if n == 1:
        return []
    k = k_of(n)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, b: bool) -> list[bytes]:
    """Return SUBPROOF(m, D[start:end], b) of LEAVES, as section 2.1.4.1 defines it."""
    n = end - start
    if m == n:
        return [] if b else [mth(start, end)]
    k = k_of(n)
    if m <= k:
        return [*subproof(m, start, start + k, b), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, False), mth(start, start + k)]


def roots(spans: list[Span]) -> list[bytes]:
    return [mth(*span) for span in spans]


def test_the_proof_of_inclusion_is_the_path_of_the_rfc_and_leads_to_the_root() -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            hashes = roots(inclusion_spans(index, size))
            assert hashes == path(index, 0, size)
            assert root_of_inclusion(index, size, LEAVES[index], hashes) == mth(0, size)


def test_the_proof_of_consistency_is_the_one_of_the_rfc_and_holds() -> None:
    for new in range(LARGEST + 1):
        for old in range(new + 1):
            hashes = roots(consistency_spans(old, new))
            assert hashes == (subproof(old, 0, new, True) if old else [])
            verify_consistency(old, new, mth(0, old), mth(0, new), hashes)


def pairs() -> list[tuple[int, int]]:
    """Return (old, new) sizes: all up to 64, some beyond; the seed is fixed."""
    chance = random.Random(20261124)
    small = [(old, new) for new in range(1, 65) for old in range(1, new + 1)]
    return small + [(chance.randint(1, new), new) for new in range(65, LARGEST + 1) for _ in range(5)]


def test_another_implementation_accepts_our_proofs() -> None:
    for old, new in pairs():
        consistency = roots(consistency_spans(old, new))
        metamorphic_log.verify_consistency(old, new, consistency, mth(0, old), mth(0, new))
        inclusion = roots(inclusion_spans(old - 1, new))
        metamorphic_log.verify_inclusion(old - 1, new, LEAVES[old - 1], inclusion, mth(0, new))


def test_the_other_implementation_rejects_wrong_proofs() -> None:
    with pytest.raises(metamorphic_log.VerifyError):
        metamorphic_log.verify_consistency(3, 7, roots(consistency_spans(3, 7))[::-1], mth(0, 3), mth(0, 7))
    with pytest.raises(metamorphic_log.VerifyError):
        metamorphic_log.verify_inclusion(3, 7, LEAVES[4], roots(inclusion_spans(3, 7)), mth(0, 7))


def refuses(work: Callable[[], object]) -> bool:
    try:
        work()
    except ProofError:
        return True
    return False


@settings(max_examples=500)
@given(st.data())
def test_a_changed_inclusion_proof_gives_another_root_or_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    hashes = roots(inclusion_spans(index, size))
    given_index, given_leaf, given_hashes = index, LEAVES[index], list(hashes)
    match data.draw(st.sampled_from(["index", "leaf", "hash", "fewer", "more"])):
        case "index":
            given_index = data.draw(st.integers(-1, size + 1).filter(lambda other: other != index))
        case "leaf":
            given_leaf = LEAVES[LARGEST + 1]
        case "hash" if hashes:
            given_hashes[data.draw(st.integers(0, len(hashes) - 1))] = LEAVES[LARGEST + 1]
        case "fewer" if hashes:
            given_hashes.pop(data.draw(st.integers(0, len(hashes) - 1)))
        case _:
            given_hashes.insert(data.draw(st.integers(0, len(hashes))), LEAVES[LARGEST + 1])
    with suppress(ProofError):
        assert root_of_inclusion(given_index, size, given_leaf, given_hashes) != mth(0, size)


@settings(max_examples=500)
@given(st.data())
def test_a_changed_consistency_proof_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, LARGEST))
    old = data.draw(st.integers(0, new))
    hashes = roots(consistency_spans(old, new))
    old_root, new_root, given_hashes = mth(0, old), mth(0, new), list(hashes)
    match data.draw(st.sampled_from(["old", "new", "hash", "fewer", "more"])):
        case "old":
            old_root = LEAVES[LARGEST + 1]
        case "new" if old:
            new_root = LEAVES[LARGEST + 1]
        case "hash" if hashes:
            given_hashes[data.draw(st.integers(0, len(hashes) - 1))] = LEAVES[LARGEST + 1]
        case "fewer" if hashes:
            given_hashes.pop(data.draw(st.integers(0, len(hashes) - 1)))
        case _:
            given_hashes.insert(data.draw(st.integers(0, len(hashes))), LEAVES[LARGEST + 1])
    assert refuses(lambda: verify_consistency(old, new, old_root, new_root, given_hashes))


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3), (1, 0)])
def test_a_tree_cannot_extend_a_larger_one(old: int, new: int) -> None:
    assert refuses(lambda: verify_consistency(old, new, LEAVES[0], LEAVES[1], []))


def test_an_invalid_proof_raises_its_reason() -> None:
    with pytest.raises(ProofError) as raised:
        verify_consistency(1, 2, LEAVES[0], mth(0, 2), [LEAVES[2]])
    assert str(raised.value) == "The proof is not valid: its hashes do not match the new root."


def test_a_span_is_made_of_complete_subtrees() -> None:
    for size in range(LARGEST + 1):
        covered = [(index << height, (index + 1) << height) for height, index in subtrees((0, size))]
        assert [leaf for start, end in covered for leaf in range(start, end)] == list(range(size))
        assert len(covered) == size.bit_count()


def test_sizes_far_beyond_any_log_take_no_longer() -> None:
    size = 2**63 - 1
    assert len(inclusion_spans(size - 1, size)) == 62
    hashed = LEAVES[0]
    for sibling in roots([(0, 1)]) * 62:
        hashed = node_hash(sibling, hashed)
    assert root_of_inclusion(size - 1, size, LEAVES[0], roots([(0, 1)]) * 62) == hashed
