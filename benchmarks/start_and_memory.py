"""The scenario `start-and-memory`: how soon `itemledger serve` is ready, and its memory after many requests."""

import statistics
from collections.abc import Iterator
from typing import Final

import msgspec

from benchmarks.databases import DatabaseName, Databases
from benchmarks.load import BenchmarkError, measure, prepare
from benchmarks.process_usage import resident_mib
from benchmarks.scenarios import ITEMS
from benchmarks.servers import ServerName, run_server

NAME: Final = "start-and-memory"
STARTS: Final = 5
REQUESTS: Final = 100_000
QUICK_REQUESTS: Final = 10_000
#: Targets: seconds from the start of the command until it is ready, and MiB resident after the requests.
TARGET_SECONDS: Final[dict[DatabaseName, float]] = {"sqlite": 1.0}
TARGET_MIB: Final = 120.0

_SECONDS: Final = 5
_CLIENTS: Final = 64

METHOD: Final = f"""\
`{NAME}` measures the time from the start of the command `itemledger serve` until `/readyz` answers 200 (median of
{STARTS}), and the resident memory of the server's process after {REQUESTS:,} of the requests of `mixed-64`."""

_HEAD: Final = f"""\
| `{NAME}`: `itemledger serve` | measured | target | met |
|---|--:|--:|---|"""


class Line(msgspec.Struct, frozen=True):
    """A figure; it must not exceed the target, if there is one."""

    title: str
    unit: str
    measured: float
    target: float | None = None

    @property
    def met(self) -> bool:
        """Whether it met its target."""
        return self.target is None or self.measured <= self.target

    def figure(self) -> str:
        """Return the measured value with its unit."""
        return f"{self.measured:.{2 if self.unit == 's' else 0}f} {self.unit}"


def run_start_and_memory(name: DatabaseName, databases: Databases, *, quick: bool) -> list[Line]:
    """Start the service several times, then load it."""
    target = TARGET_SECONDS.get(name)
    lines = []
    if name == "sqlite":  # an empty PostgreSQL database is refused
        lines.append(Line("ready, with a new file", "s", _start("itemledger, new file", databases), target))
    lines.append(Line("ready, with an existing database", "s", _start("itemledger", databases), target))
    wanted, requests = QUICK_REQUESTS if quick else REQUESTS, 0
    with run_server("itemledger", databases) as server:
        lines.append(Line("memory when it is ready", "MiB", resident_mib(server.pid)))
        prepare(server.url, ITEMS)
        while requests < wanted:
            measurement = measure("mixed", server.url, clients=_CLIENTS, seconds=_SECONDS, arguments=(str(ITEMS),))
            if measurement.errors:
                raise BenchmarkError(f"{NAME}: {measurement.errors}")
            requests += measurement.requests
        lines.append(Line(f"memory after {wanted:,} requests", "MiB", resident_mib(server.pid), TARGET_MIB))
    return lines


def table(lines: list[Line]) -> str:
    """Return the table of one database."""
    return "\n".join([_HEAD, *map(_row, lines)])


def missed(lines: list[Line]) -> Iterator[str]:
    """Return what did not meet its target on one database."""
    yield from (f"`{NAME}`: {line.title}, {line.figure()}" for line in lines if not line.met)


def _row(line: Line) -> str:
    target = "" if line.target is None else f"≤ {line.target:g} {line.unit}"
    met = "" if line.target is None else "yes" if line.met else "no"
    return f"| {line.title} | {line.figure()} | {target} | {met} |"


def _start(server: ServerName, databases: Databases) -> float:
    """Return the median time until the server is ready."""
    seconds = []
    for _ in range(STARTS):
        with run_server(server, databases) as running:
            seconds.append(running.ready_seconds)
    return statistics.median(seconds)
