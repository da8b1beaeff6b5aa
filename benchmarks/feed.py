"""How soon after its commit an event reaches those who follow the history: `python -m benchmarks.feed [--consumers N]`.

Events are recorded one by one, each some time after the one before. A delay is from the moment at which the writer
hears that its event is committed to the one at which a consumer has it; both are taken in this process. The consumers
of a row follow one process of the service. The event is written to the same process, to another one, or by a program
that tells nobody, so that it is found by polling.
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
#: Seconds from one event to the next, at most.
PAUSE: Final = 0.1

_ID = re.compile(rb"(?:^|\n)id: (\d+)\n")
#: Gives an event's position.
Write = Callable[[], Awaitable[int]]


class Arrivals:
    """When each event was committed, and when it reached each consumer, in seconds."""

    def __init__(self) -> None:
        self.committed: dict[int, float] = {}
        self.arrived: list[tuple[int, float]] = []

    async def consume(self, port: int, ready: asyncio.Event) -> None:
        """Follow the history, and note when each event is there."""
        async with Client.connected(port) as client:
            await client.send(request("GET", "/events/stream"))
            rest = b""
            while piece := await client.reader.read(2**16):
                ready.set()
                now, rest = perf_counter(), rest + piece
                self.arrived += [(int(position), now) for position in _ID.findall(rest)]
                rest = rest[rest.rfind(b"\n\n") + 1 :]

    async def write(self, write: Write) -> None:
        """Record events, and note when each is committed."""
        for _ in range(EVENTS):
            await asyncio.sleep(random.uniform(0, PAUSE))
            self.committed[await write()] = perf_counter()

    def milliseconds(self) -> list[float]:
        """Give all delays, in order."""
        return sorted((arrived - self.committed[position]) * 1000 for position, arrived in self.arrived)


@asynccontextmanager
async def over_http(port: int) -> AsyncIterator[Write]:
    """Record events by requests to a process of the service."""
    async with Client.connected(port) as client:

        async def write() -> int:
            return (await client.ask("POST", "/items", new_item("pen"))).position

        yield write


@asynccontextmanager
async def untold(url: str) -> AsyncIterator[Write]:
    """Record events beside the service, which nobody tells of them."""
    database = open_database(url)
    async with writing(database) as writer:

        async def write() -> int:
            return (await create(writer)).position

        yield write
    await database.dispose()


async def measure(url: str, consumers: int, writer: str) -> list[float]:
    """Give the delays in milliseconds, in order."""
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
                writing_ = untold(url)
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
    """Print a row for each way to write."""
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
    print("| database | told of by | consumers | median ms | p99 ms | longest ms |\n|---|---|--:|--:|--:|--:|")
    for name in DATABASES if options.only is None else (options.only,):
        with open_databases(name) as databases:
            for consumers in options.consumers:
                rows(databases, name, consumers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
