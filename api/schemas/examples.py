"""The examples in the OpenAPI document: a file `examples.json` in the folder of each resource."""

from pathlib import Path
from typing import Any

import msgspec


def load(folder: str) -> dict[str, Any]:
    """Return the examples in `api/<folder>`, by name."""
    examples: dict[str, Any] = msgspec.json.decode((Path(__file__).parents[1] / folder / "examples.json").read_bytes())
    return examples


#: An `event` and an `item`, which several resources show.
SHARED = load("schemas")
