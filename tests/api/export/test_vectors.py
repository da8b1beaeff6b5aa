"""The vectors that the console's JavaScript runs too: exported files, their manifests and checkpoints."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from api.export import exported_log, manifest
from api.export.exported_log import UnreadableFileError
from eventstore.errors import TamperedError
from eventstore.merkle.tree_head import TreeHead
from tests.vectors.build import load
from tests.vectors.exports import content_of

VECTORS, EVENTS = load("exports"), load("events")


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_exported_files_have_the_verdict_of_the_vector(tmp_path: Path, case: dict[str, Any]) -> None:
    paths = []
    for number, file in enumerate(case["files"]):
        paths.append(path := tmp_path / f"{number}.jsonl")
        path.write_bytes(content_of(VECTORS, file["content"]))
        if file["manifest"] is not None:
            manifest.path_of(path).write_text(file["manifest"])
    heads = [TreeHead(head["size"], bytes.fromhex(head["root"])) for head in case["heads"]]
    expected, unknown = case["expected"], Counter[str]()
    found: dict[str, Any]
    try:
        head = exported_log.verify(paths, heads, lambda _: None, unknown)
        found = {"kind": "intact", "size": head.size, "root": head.root.hex(), "unknown_types": dict(unknown)}
    except TamperedError as error:
        found = {"kind": "tampered", "position": error.position, "reason": error.reason}
    except UnreadableFileError as error:
        found = {"kind": "unreadable", "reason": str(error)}
    if "reason" in expected:
        assert expected["reason"] in found["reason"]
    assert found == {**expected, **({"reason": found["reason"]} if "reason" in expected else {})}


@pytest.mark.parametrize("case", EVENTS["not_events"], ids=lambda case: case["name"])
def test_a_line_that_is_not_exactly_an_event_is_refused(tmp_path: Path, case: dict[str, Any]) -> None:
    (path := tmp_path / "log.jsonl").write_text(case["line"] + "\n")
    with pytest.raises((TamperedError, UnreadableFileError)):
        exported_log.verify([path], [], lambda _: None)
