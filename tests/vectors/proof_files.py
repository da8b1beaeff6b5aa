"""Vectors of proofs as the service gives them out: JSON and C2SP tlog-proof, with the verdict on each."""

import json
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.inclusion_proof import TlogProof
from eventstore.log.history import leaf
from eventstore.merkle import hashing
from tests.support.stored import hashed, whole_log
from tests.vectors.notes import FOREIGN, KEY, ORIGIN, SECOND

SIZE = 7
LOG = whole_log(SIZE)
_HASHES = [event.leaf_hash for event in LOG]


def mth(hashes: list[bytes]) -> bytes:
    """Return the root of the tree of `hashes`, as RFC 9162 defines it in section 2.1.1."""
    if len(hashes) < 2:
        return (
            hashes[0] if hashes else bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        )
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return hashing.node_hash(mth(hashes[:split]), mth(hashes[split:]))


def checkpoint_of(size: int) -> Checkpoint:
    """Return the checkpoint of the log's first events."""
    return Checkpoint(ORIGIN, size, mth(_HASHES[:size]))


#: Of event 4 in the log of 7: its sibling, the pair before, the three after.
_PATH = [_HASHES[2], mth(_HASHES[:2]), mth(_HASHES[4:])]
_NOTE = checkpoint_of(SIZE).write([KEY])
_PROOF = {
    "position": 4,
    "leaf": leaf(LOG[3]).decode(),
    "leaf_hash": LOG[3].leaf_hash.hex(),
    "leaf_index": 3,
    "tree_size": SIZE,
    "root_hash": checkpoint_of(SIZE).root.hex(),
    "hashes": [one.hex() for one in _PATH],
    "checkpoint": _NOTE,
}
_GROWN = {
    "old_size": 3,
    "new_size": SIZE,
    "old_root": mth(_HASHES[:3]).hex(),
    "new_root": mth(_HASHES).hex(),
    "hashes": [one.hex() for one in (_HASHES[2], _HASHES[3], mth(_HASHES[:2]), mth(_HASHES[4:]))],
    "checkpoint": _NOTE,
}


def build() -> dict[str, Any]:
    """Return files of proofs; `expected` is `proven` or `consistent`, `failed`, or `unreadable`: not a proof."""
    return {
        "public_key": str(KEY.verifier),
        "inclusion": [*_inclusion_as_json(), *_inclusion_as_text()],
        "consistency": [*_consistency()],
    }


def _case(name: str, content: object, expected: str, **more: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return {"name": name, "text": text, "expected": expected, **more}


def _inclusion_as_json() -> Iterator[dict[str, Any]]:
    other = hashed(replace(LOG[3], actor="eve"))
    yield _case("an event", _PROOF, "proven")
    yield _case("pretty", json.dumps(_PROOF, indent=2), "proven")
    yield _case("a member more", {**_PROOF, "more": 1}, "proven")
    yield _case("a hash changed", {**_PROOF, "hashes": [*_PROOF["hashes"][:2], "00" * 32]}, "failed")  # type: ignore[index]
    yield _case("a hash missing", {**_PROOF, "hashes": _PROOF["hashes"][:2]}, "failed")  # type: ignore[index]
    yield _case("a hash more", {**_PROOF, "hashes": [*_PROOF["hashes"], "00" * 32]}, "failed")  # type: ignore[misc]
    yield _case("another event", {**_PROOF, "leaf": leaf(other).decode(), "leaf_hash": other.leaf_hash.hex()}, "failed")
    yield _case("another position", {**_PROOF, "position": 5, "leaf_index": 4}, "failed")
    foreign = replace(checkpoint_of(SIZE), root=bytes(32))
    yield _case("another root", {**_PROOF, "root_hash": "00" * 32, "checkpoint": foreign.write([KEY])}, "failed")
    for member in _PROOF:
        yield _case(
            f"without {member}", {name: value for name, value in _PROOF.items() if name != member}, "unreadable"
        )
    wrong: tuple[tuple[str, object], ...] = (
        ("position", 5),
        ("position", "4"),
        ("leaf", leaf(other).decode()),
        ("leaf_hash", other.leaf_hash.hex()),
        ("leaf_index", 4),
        ("tree_size", 8),
        ("root_hash", "00" * 32),
        ("hashes", ["00"]),
        ("hashes", ["AA" * 32]),
        ("hashes", "00" * 32),
        ("hashes", ["00" * 32] * 65),
        ("checkpoint", ""),
        ("checkpoint", checkpoint_of(6).write([KEY])),
        ("checkpoint", checkpoint_of(SIZE).write([SECOND])),
        ("checkpoint", checkpoint_of(SIZE).write([])),
        ("checkpoint", _NOTE.replace("— ", "—  ")),
        ("checkpoint", replace(checkpoint_of(SIZE), origin="other.example.com/log").write([FOREIGN])),
    )
    for number, (member, value) in enumerate(wrong):
        yield _case(f"another {member} {number}", {**_PROOF, member: value}, "unreadable")
    for name, text in (("nothing", ""), ("null", "null"), ("an array", "[]"), ("half", json.dumps(_PROOF)[:-9])):
        yield _case(name, text, "unreadable")


def _inclusion_as_text() -> Iterator[dict[str, Any]]:
    proof = TlogProof(3, tuple(_PATH), _NOTE, leaf(LOG[3]))
    text = proof.write()
    yield _case("text", text, "proven")
    yield _case("text: another index", text.replace("index 3", "index 2"), "failed")
    yield _case("text: a hash missing", replace(proof, hashes=proof.hashes[1:]).write(), "failed")
    yield _case("text: another event", replace(proof, extra=leaf(LOG[4])).write(), "failed")
    for name, old, new in (
        ("another version", "proof@v1", "proof@v2"),
        ("no index", "index 3\n", ""),
        ("a leading zero", "index 3", "index 03"),
        ("no blank line", "\n\n", "\n"),
        ("an extra that is not base64", "extra ", "extra !"),
        ("no extra", text.split("\n")[1] + "\n", ""),
        ("a hash that is not one", "index 3\n", "index 3\nAAAA\n"),
    ):
        yield _case(f"text: {name}", text.replace(old, new, 1), "unreadable")


def _consistency() -> Iterator[dict[str, Any]]:
    old, new = checkpoint_of(3).write([KEY]), _NOTE
    both = {"old": old, "new": new}
    yield _case("grown", _GROWN, "consistent", **both)
    same = {"old_size": 3, "new_size": 3, "hashes": []}
    yield _case("the same size", {**_GROWN, **same}, "consistent", old=old, new=old)
    forged = replace(checkpoint_of(3), root=bytes(32)).write([KEY])
    yield _case("another earlier log", _GROWN, "failed", old=forged, new=new)
    yield _case(
        "another later log", _GROWN, "failed", old=old, new=replace(checkpoint_of(SIZE), root=bytes(32)).write([KEY])
    )
    yield _case("two roots of one size", {**_GROWN, **same}, "failed", old=old, new=forged)
    yield _case("a hash missing", {**_GROWN, "hashes": _GROWN["hashes"][1:]}, "failed", **both)  # type: ignore[index]
    yield _case("its roots are not believed", {**_GROWN, "old_root": "00" * 32}, "consistent", **both)
    yield _case("of other sizes", {**_GROWN, "old_size": 2}, "unreadable", **both)
    yield _case("the checkpoints swapped", _GROWN, "unreadable", old=new, new=old)
    other = replace(checkpoint_of(3), origin="other.example.com/log").write([FOREIGN])
    yield _case("of two logs", _GROWN, "unreadable", old=other, new=new)
    yield _case("not a proof", "[]", "unreadable", **both)
    yield _case("hashes that are none", {**_GROWN, "hashes": ["xx"]}, "unreadable", **both)
