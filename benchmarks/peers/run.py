"""The command line of each peer: `fill DATABASE_URL EVENTS` and `read DATABASE_URL`."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice

from benchmarks.replay.history import ItemEvent, history

SQLITE = "sqlite+aiosqlite:///"


def run(fill: Callable[[str, Iterator[ItemEvent]], None], read: Callable[[str], tuple[int, float]]) -> None:
    """Run the requested command.

    `fill` records the beginning of the history in an empty database. `read` reads and decodes all events of a
    database in order, and prints as JSON how many there were and how many seconds it took.
    """
    task, url, *rest = sys.argv[1:]
    if task == "fill":
        fill(url, islice(history(), int(rest[0])))
    else:
        events, seconds = read(url)
        print(json.dumps({"events": events, "seconds": seconds}))
