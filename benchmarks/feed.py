"""Delay from commit to delivery for subscribers of the event stream: `python -m benchmarks.feed [--consumers N]`.

Events are recorded one by one, with pauses. A delay runs from the moment at which the writer learns that its event is
committed to the moment at which a consumer receives it; this process takes both times. The consumers of a row subscribe
to one process of the service. The event is written to the same process, to another one, or by a program that sends no
notification, so that the service finds it by polling.
"""

import argparse
import asyncio
import random
import re
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from benchmarks.databases import DATABASES, Databases, open_databases
from eventstore.database.engine import open_database
from tests.support.clients.load import Client, new_item, request
from tests.support.service import migrate, serving
from tests.support.writing import create, writing

EVENTS: Final = 200
#: Longest pause between two events, in seconds.
PAUSE: Final = 0.1

_ID = re.compile(rb"(?:^|\n)id: (\d+)\n")
#: Returns an event's position.
Write = Callable[[], Awaitable[int]]


class Arrivals:
    """Times in seconds at which each event was committed and reached each consumer."""

    def __init__(self) -> None:
        self.committed: dict[int, float] = {}
        self.arrived: list[tuple[int, float]] = []

    async def consume(self, port: int, ready: asyncio.Event) -> None:
        """Subscribe to the stream, and record when each event arrives."""
        async with Client.connected(port) as client:
            await client.send(request("GET", "/events/stream"))
            rest = b""
            while piece := await client.reader.read(2**16):
                ready.set()
                now, rest = perf_counter(), rest + piece
                self.arrived += [(int(position), now) for position in _ID.findall(rest)]
                rest = rest[rest.rfind(b"\n\n") + 1 :]

    async def write(self, write: Write) -> None:
        """Record events, and when each is committed."""
        for _ in range(EVENTS):
            await asyncio.sleep(random.uniform(0, PAUSE))
            self.committed[await write()] = perf_counter()

    def milliseconds(self) -> list[float]:
        """Return all delays, sorted."""
        return sorted((arrived - self.committed[position]) * 1000 for position, arrived in self.arrived)


@asynccontextmanager
async def over_http(port: int) -> AsyncIterator[Write]:
    """Record events by requests to a process of the service."""
    async with Client.connected(port) as client:

        async def write() -> int:
            return (await client.ask("POST", "/items", new_item("pen"))).position

        yield write


@asynccontextmanager
async def without_notification(url: str) -> AsyncIterator[Write]:
    """Record events without notifying the service."""
    database = open_database(url)
    async with writing(database) as writer:

        async def write() -> int:
            return (await create(writer)).position

        yield write
    await database.dispose()


async def measure(url: str, consumers: int, writer: str) -> list[float]:
    """Return the sorted delays in milliseconds."""
    await migrate(url)
    arrivals = Arrivals()
    with ExitStack() as stack:
        followed = stack.enter_context(serving(url))
        match writer:
            case "the same process":
                writing_ = over_http(followed.port)
            case "another process":
                writing_ = over_http(stack.enter_context(serving(url)).port)
            case _:
                writing_ = without_notification(url)
        ready = [asyncio.Event() for _ in range(consumers)]
        consuming = [asyncio.create_task(arrivals.consume(followed.port, one)) for one in ready]
        for one in ready:
            await one.wait()
        async with writing_ as write:
            await arrivals.write(write)
            while len(arrivals.arrived) < EVENTS * consumers:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for task in consuming:
            task.cancel()
        await asyncio.gather(*consuming, return_exceptions=True)
    return arrivals.milliseconds()


def rows(databases: Databases, name: str, consumers: int) -> None:
    """Print a row for each kind of writer."""
    for writer in ("the same process", "another process", "nobody tells"):
        if writer == "another process" and name == "sqlite":
            continue  # one process serves
        with TemporaryDirectory() as directory:
            delays = asyncio.run(measure(databases.create(Path(directory)), consumers, writer))
        at = [statistics.median(delays), delays[len(delays) * 99 // 100], delays[-1]]
        print(f"| {name} | {writer} | {consumers} | {' | '.join(f'{value:.1f}' for value in at)} |", flush=True)


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feed", description=__doc__)
    parser.add_argument("--consumers", type=int, nargs="+", default=[1, 100, 500])
    parser.add_argument("--only", choices=DATABASES, help="one database only")
    options = parser.parse_args()
    print("| database | notified by | consumers | median ms | p99 ms | longest ms |\n|---|---|--:|--:|--:|--:|")
    for name in DATABASES if options.only is None else (options.only,):
        with open_databases(name) as databases:
            for consumers in options.consumers:
                rows(databases, name, consumers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
