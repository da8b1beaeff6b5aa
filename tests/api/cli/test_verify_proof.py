"""`itemledger verify proof` and `verify consistency`: verdicts from files alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.schemas.examples import SHARED, load
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import SignerKey
from eventstore.codec import LEAF
from eventstore.merkle.hashing import leaf_hash
from tests.api.cli.command import Done, itemledger

_EXAMPLES = load("transparency")
NOTE_EXAMPLE, INCLUSION_EXAMPLE = _EXAMPLES["checkpoint"], _EXAMPLES["inclusion_proof"]
TLOG_EXAMPLE, CONSISTENCY_EXAMPLE = _EXAMPLES["tlog_proof"], _EXAMPLES["consistency_proof"]
VKEY = "ledger.example.com/log+4f49d456+AbISlfwXQF3jy7BNiM6rfFJWWPildH03oTKJCeU4yGfI"
OTHER = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EVENT: dict[str, Any] = SHARED["event"]
OLD = Checkpoint("ledger.example.com/log", 1, bytes.fromhex(CONSISTENCY_EXAMPLE["old_root"]))


def run(*arguments: object) -> Done:
    """Run `itemledger verify` without a database."""
    return itemledger("sqlite+aiosqlite:////nowhere/at/all.db", "verify", *arguments)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, object], Path]:
    def to_file(name: str, content: object) -> Path:
        text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return to_file


Write = Callable[[str, object], Path]


@pytest.mark.parametrize("proof", [INCLUSION_EXAMPLE, TLOG_EXAMPLE], ids=["json", "text"])
def test_an_event_is_proven_from_either_form(write: Write, proof: Any) -> None:
    done = run("proof", write("proof", proof), "--public-key", VKEY)
    assert done.returncode == 0, done.stdout
    headline, *event = done.stdout.splitlines()
    assert headline == "Proven: event 1 is in the log ledger.example.com/log at size 2 (signature verified)"
    assert [line.split(maxsplit=1) for line in event] == [
        [name, value if isinstance(value, str) else json.dumps(value)]
        for name, value in ((name, EVENT[name]) for name in LEAF)
    ]
    done = run("proof", write("proof", proof), "--json", "--event", write("event", EVENT))
    verdict = json.loads(done.stdout)
    assert (done.returncode, verdict["proven"], verdict["signature_verified"]) == (0, True, False)
    assert verdict["event"]["data"] == EVENT["data"]


def test_a_text_proof_without_the_event_needs_event(write: Write) -> None:
    first, extra, *rest = TLOG_EXAMPLE.splitlines(keepends=True)
    assert extra.startswith("extra ")
    proof = write("proof", "".join([first, *rest]))
    assert run("proof", proof, "--event", write("event", EVENT)).returncode == 0
    assert run("proof", proof, "--event", write("event", {**EVENT, "actor": "eve"})).returncode == 1
    done = run("proof", proof)
    assert (done.returncode, done.stderr) == (
        2,
        f"Error: {proof} does not contain the event. Pass the event with --event.\n",
    )


def leaf(old: str, new: str) -> str:
    return str(INCLUSION_EXAMPLE["leaf"]).replace(old, new)


def with_leaf(text: str) -> dict[str, Any]:
    return {**INCLUSION_EXAMPLE, "leaf": text, "leaf_hash": leaf_hash(text.encode()).hex()}


NOT_PROVEN: dict[str, list[Any]] = {
    "its hashes do not lead to the checkpoint's root": [
        with_leaf(leaf("24.5", "24.6")),
        with_leaf(leaf("shop", "eve")),
        {**INCLUSION_EXAMPLE, "hashes": ["00" * 32]},
        TLOG_EXAMPLE.replace("/zBR", "/zBX"),
    ],
    "it has 0 hashes but needs 1": [{**INCLUSION_EXAMPLE, "hashes": []}],
    "the event has a different position than the proof": [
        with_leaf(leaf("[1,1,1", "[2,1,1")),
        {**INCLUSION_EXAMPLE, "position": 2, "leaf_index": 1},
        TLOG_EXAMPLE.replace("index 0", "index 1"),
    ],
}


@pytest.mark.parametrize("reason", NOT_PROVEN)
def test_a_changed_proof_or_event_is_not_proven(write: Write, reason: str) -> None:
    for proof in NOT_PROVEN[reason]:
        done = run("proof", write("proof", proof), "--public-key", VKEY)
        assert done.returncode == 1, done.stdout
        assert done.stdout.splitlines()[0].endswith(f"at size 2 (signature verified): {reason}")


def test_a_different_event_is_not_proven(write: Write) -> None:
    done = run("proof", write("proof", INCLUSION_EXAMPLE), "--event", write("event", {**EVENT, "actor": "eve"}))
    assert (done.returncode, "the proof of a different event" in done.stdout) == (1, True)


def test_a_forged_proof_cannot_control_the_terminal(write: Write) -> None:
    forged = {**with_leaf(leaf("shop", "\\u001b[2J\x9b2J")), "checkpoint": NOTE_EXAMPLE.replace("led", "\x9bled")}
    output = run("proof", write("proof", forged)).stdout
    assert all(character.isprintable() or character == "\n" for character in output), output


UNREADABLE: list[tuple[Any, str]] = [
    ("Dear reader,", "is not a valid proof"),
    ({}, "is not a valid proof"),
    ({**INCLUSION_EXAMPLE, "position": 2}, "its members contradict each other"),
    ({**INCLUSION_EXAMPLE, "tree_size": 3}, "its members contradict each other"),
    ({**INCLUSION_EXAMPLE, "leaf": leaf("24.5", "24.6")}, "its members contradict each other"),
    ({**INCLUSION_EXAMPLE, "checkpoint": "none"}, "is not a valid proof"),
    (with_leaf("[1,2]"), "does not contain a valid event"),
    (TLOG_EXAMPLE.replace("\n\n", "\n", 1), "is not a valid proof"),
]


@pytest.mark.parametrize(("proof", "words"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_an_invalid_proof_ends_with_2(write: Write, proof: Any, words: str) -> None:
    done = run("proof", write("proof", proof))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_proof_that_the_key_did_not_sign_ends_with_2(write: Write) -> None:
    for key in (OTHER, VKEY):
        forged = TLOG_EXAMPLE if key == OTHER else TLOG_EXAMPLE.replace("T0nUVuzN", "T0nUVuz4")
        done = run("proof", write("proof", forged), "--public-key", key)
        assert (done.returncode, done.stdout) == (2, "")


def files(write: Write, old: str, new: str, proof: Any) -> list[Path]:
    return [write("old", old), write("new", new), write("grew", proof)]


def test_a_log_that_only_grew_is_consistent(write: Write) -> None:
    key = SignerKey.generate("ledger.example.com/log")
    new = NOTE_EXAMPLE + key.sign(NOTE_EXAMPLE.partition("\n\n")[0] + "\n")
    done = run("consistency", *files(write, OLD.write([key]), new, CONSISTENCY_EXAMPLE), "--public-key", key.verifier)
    assert (done.returncode, done.stdout) == (
        0,
        "Consistent: the log ledger.example.com/log at size 2 begins with the log at size 1 (signature verified)\n",
    )
    done = run("consistency", *files(write, OLD.write([]), NOTE_EXAMPLE, CONSISTENCY_EXAMPLE), "--json")
    assert json.loads(done.stdout) == {
        "consistent": True,
        "reason": None,
        "origin": "ledger.example.com/log",
        "old_size": 1,
        "new_size": 2,
        "signatures_verified": False,
    }


def test_a_log_that_was_rewritten_is_not_consistent(write: Write) -> None:
    other = Checkpoint(OLD.origin, 1, bytes(32)).write([])
    done = run("consistency", *files(write, other, NOTE_EXAMPLE, CONSISTENCY_EXAMPLE))
    assert (done.returncode, done.stdout) == (1, "NOT CONSISTENT: its hashes do not match the new root\n")
    forged = {**CONSISTENCY_EXAMPLE, "hashes": ["00" * 32]}
    assert run("consistency", *files(write, OLD.write([]), NOTE_EXAMPLE, forged)).returncode == 1


def test_files_that_do_not_belong_together_end_with_2(write: Write) -> None:
    strange = Checkpoint("example.com/other", 1, OLD.root).write([])
    smaller = {**CONSISTENCY_EXAMPLE, "old_size": 0}
    for old, proof, words in (
        (strange, CONSISTENCY_EXAMPLE, "are of different logs: example.com/other and"),
        (OLD.write([]), smaller, "is of sizes (0, 2), the checkpoints are of (1, 2)"),
        (OLD.write([]), "none", "is not a consistency proof"),
        ("none", CONSISTENCY_EXAMPLE, "newline"),
    ):
        done = run("consistency", *files(write, old, NOTE_EXAMPLE, proof))
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
