"""The vectors that the console's JavaScript runs too: public keys, notes, checkpoints, files with proofs."""

from pathlib import Path
from typing import Any

import pytest

from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import Note, NoteError, VerifierKey
from tests.api.cli.command import without_database
from tests.vectors.build import load

NOTES, FILES = load("notes"), load("proof_files")
EXIT_CODES = {"proven": 0, "consistent": 0, "failed": 1, "unreadable": 2}


@pytest.mark.parametrize("text", NOTES["keys"]["valid"])
def test_a_valid_key_is_read(text: str) -> None:
    assert str(VerifierKey.parse(text)) == text


@pytest.mark.parametrize("text", NOTES["keys"]["invalid"])
def test_an_invalid_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


@pytest.mark.parametrize("case", NOTES["notes"], ids=lambda case: case["name"])
def test_a_note_has_the_verdict_of_the_vector(case: dict[str, Any]) -> None:
    keys = [VerifierKey.parse(key) for key in case["keys"]]
    try:
        note = Note.parse(case["text"])
    except NoteError:
        assert case["expected"] == "malformed"
        return
    found: tuple[str, list[str]] = ("no-key", [])
    if keys:
        try:
            found = "verified", [str(key) for key in note.verify(keys)]
        except NoteError:
            found = "invalid", []
    assert found == (case["expected"], case["signed_by"])


@pytest.mark.parametrize("case", NOTES["checkpoints"], ids=lambda case: repr(case["text"]))
def test_a_checkpoint_is_read_or_refused(case: dict[str, Any]) -> None:
    found = None
    try:
        head = Checkpoint.parse(Note.parse(case["text"]).text)
        found = {"origin": head.origin, "size": head.size, "root": head.root.hex()}
    except NoteError:
        pass
    assert found == case["expected"]


@pytest.mark.parametrize("case", FILES["inclusion"], ids=lambda case: case["name"])
def test_a_file_with_a_proof_has_the_verdict_of_the_vector(tmp_path: Path, case: dict[str, Any]) -> None:
    (tmp_path / "proof").write_text(case["text"])
    done = without_database("verify", "proof", tmp_path / "proof", "--public-key", FILES["public_key"])
    assert done.returncode == EXIT_CODES[case["expected"]], done


@pytest.mark.parametrize("case", FILES["consistency"], ids=lambda case: case["name"])
def test_a_file_with_a_consistency_proof_has_the_verdict_of_the_vector(tmp_path: Path, case: dict[str, Any]) -> None:
    paths = [tmp_path / name for name in ("old", "new", "text")]
    for path in paths:
        path.write_text(case[path.name])
    done = without_database("verify", "consistency", *paths)
    assert done.returncode == EXIT_CODES[case["expected"]], done
