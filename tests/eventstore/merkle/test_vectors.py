"""The vectors that the console's JavaScript runs too: trees, proofs, leaves and the data of events."""

from typing import Any

import msgspec
import pytest

from eventstore import codec
from eventstore.codec import LEAF, check, encode_leaf
from eventstore.errors import CorruptEventError, ProofError, UnknownEventTypeError
from eventstore.merkle.hashing import append, leaf_hash, root
from eventstore.merkle.proofs import root_of_inclusion, verify_consistency
from tests.vectors.build import load

TREES, EVENTS = load("trees"), load("events")


def hexes(hashes: list[str]) -> list[bytes]:
    return [bytes.fromhex(hashed) for hashed in hashes]


def test_the_roots_are_those_of_the_vectors() -> None:
    hashes = hexes(TREES["leaf_hashes"])
    assert [root(append(0, (), hashes[:size])[0]).hex() for size in range(len(hashes) + 1)] == TREES["roots"]


@pytest.mark.parametrize("case", TREES["inclusion"], ids=lambda case: case["name"])
def test_an_inclusion_proof_has_the_verdict_of_the_vector(case: dict[str, Any]) -> None:
    try:
        found = root_of_inclusion(
            case["index"], case["size"], bytes.fromhex(case["leaf_hash"]), hexes(case["hashes"])
        ).hex()
        reason = None if found == case["root"] else "its hashes do not lead to the root"
    except ProofError as error:
        reason = error.reason
    assert reason == case["reason"]


@pytest.mark.parametrize("case", TREES["consistency"], ids=lambda case: case["name"])
def test_a_consistency_proof_has_the_verdict_of_the_vector(case: dict[str, Any]) -> None:
    reason = None
    try:
        old_root, new_root = hexes([case["old_root"], case["new_root"]])
        verify_consistency(case["old"], case["new"], old_root, new_root, hexes(case["hashes"]))
    except ProofError as error:
        reason = error.reason
    assert reason == case["reason"]


@pytest.mark.parametrize("case", EVENTS["events"], ids=lambda case: case["name"])
def test_a_leaf_is_the_array_of_its_columns_and_has_the_hash_of_the_vector(case: dict[str, Any]) -> None:
    leaf = case["leaf"].encode()
    columns = dict(zip(LEAF, msgspec.json.decode(leaf), strict=True))
    assert {**columns, "recorded_at": None} == {**case["columns"], "recorded_at": None}
    assert encode_leaf([*{**columns, "fingerprint": bytes.fromhex(columns["fingerprint"])}.values()]) == leaf
    assert leaf_hash(leaf).hex() == case["leaf_hash"]


@pytest.mark.parametrize("case", EVENTS["data"], ids=lambda case: f"{case['type']} {case['data']}")
def test_data_is_known_unknown_or_invalid_as_the_vector_says(case: dict[str, Any]) -> None:
    found = "known"
    try:
        check(1, case["type"], case["data"])
    except UnknownEventTypeError:
        found = "unknown"
    except CorruptEventError:
        found = "invalid"
    assert found == case["expected"]


def test_the_vectors_have_every_event_type() -> None:
    types = {case["columns"]["type"] for case in EVENTS["events"]}
    assert codec.CODEC.readers.keys() <= types, "add it to tests/vectors/events.py and verify/event_data.js"
