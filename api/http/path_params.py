"""Item ids and log positions in paths."""

import re
from typing import Any

from commands.errors import ItemNotFoundError
from eventstore.log.head import END

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


def read_number(text: str) -> int | None:
    """Return a decimal number of at most 63 bits, None if `text` is anything else."""
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= END else None


def parse_item_id(text: str) -> int:
    """Return an item id. Raises ItemNotFoundError for an invalid one, as for an id that no item has."""
    if (item_id := read_number(text)) is None:
        raise ItemNotFoundError
    return item_id


def _schema(description: str) -> dict[str, Any]:
    number = {"type": "integer", "format": "int64", "minimum": 1, "maximum": END}
    return {**number, "description": description, "examples": [1]}


ITEM_ID = {"item_id": _schema("The item's id, from the response that created it")}
POSITION = {"position": _schema("The event's position in the log")}
