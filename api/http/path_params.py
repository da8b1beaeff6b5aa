"""What stands in paths for items and events."""

import re

from commands.errors import ItemNotFoundError
from eventstore.log.log import END

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


def read_number(text: str) -> int | None:
    """Read a number of at most 63 bits as it is written in paths, None where `text` is anything else."""
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= END else None


def parse_item_id(text: str) -> int:
    """Read an id from a path. What can't be the id of an item is not found, like an id that no item has.

    Raises ItemNotFoundError.
    """
    item_id = read_number(text)
    if item_id is None:
        raise ItemNotFoundError
    return item_id


ITEM_ID = {
    "item_id": {
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "maximum": END,
        "description": "The item's id, from the answer that created it",
        "examples": [1],
    }
}
POSITION = {
    "position": {
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "maximum": END,
        "description": "The event's position in the log",
        "examples": [1],
    }
}
