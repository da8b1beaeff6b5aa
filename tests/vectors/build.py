"""Builds the vectors that the Python code and the console's JavaScript must agree on: `python -m tests.vectors.build`.

What is expected is written here by hand, or computed by the definitions of RFC 9162 in the tests; the code under test
computes hashes and signatures of single texts alone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.vectors import events, exports, notes, proof_files, trees

FOLDER = Path(__file__).parent
#: By the name of the file: what makes its content.
FILES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "trees": trees.build,
    "events": events.build,
    "notes": notes.build,
    "proof_files": proof_files.build,
    "exports": exports.build,
}


def text_of(name: str) -> bytes:
    """Return the content that a file of vectors must have, with one case a line."""
    members = [f"{_json(member)}: {_cases(value)}" for member, value in FILES[name]().items()]
    return "\n".join(["{", ",\n".join(members), "}", ""]).encode()


def _cases(value: Any) -> str:
    if not isinstance(value, list):
        return _json(value)
    return "\n".join(["[", ",\n".join(map(_json, value)), "]"])


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def load(name: str) -> Any:
    """Return the vectors of a file."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes())


if __name__ == "__main__":
    for name in FILES:
        (FOLDER / f"{name}.json").write_bytes(text_of(name))
