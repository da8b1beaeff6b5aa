"""Runs a scenario: both contenders alternate in short rounds, so that noise affects both alike."""

import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from typing import Final, Self, assert_never

import msgspec

from benchmarks.databases import DatabaseName, Databases
from benchmarks.load import Measurement, measure, prepare
from benchmarks.process_usage import processor_seconds
from benchmarks.scenarios import Contender, Scenario
from benchmarks.servers import Server, batches_to, run_server

WARM_UP_SECONDS: Final = 1
# Requests of a run that it does not count: the one each client has under way at its end, and one that wrk asks the
# script for before it begins. They use items up too.
UNCOUNTED: Final = 2


class Rounds(msgspec.Struct, frozen=True):
    """Number and length of the rounds."""

    count: int
    seconds: int


FULL: Final = Rounds(count=3, seconds=5)
QUICK: Final = Rounds(count=3, seconds=1)


class Figures(msgspec.Struct, frozen=True):
    """Medians of one contender's rounds, and the errors of all rounds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    processor_us: float
    errors: dict[str, int]

    @classmethod
    def of(cls, rounds: Sequence[Measurement]) -> Self:
        """Summarise rounds."""
        errors: Counter[str] = Counter()
        for measurement in rounds:
            errors.update(measurement.errors)
        return cls(
            statistics.median(measurement.per_second for measurement in rounds),
            statistics.median(measurement.p50_us for measurement in rounds) / 1000,
            statistics.median(measurement.p99_us for measurement in rounds) / 1000,
            statistics.median(measurement.processor_us for measurement in rounds),
            dict(errors),
        )


class Result(msgspec.Struct, frozen=True):
    """Result of a scenario."""

    scenario: Scenario
    database: DatabaseName
    first: Figures
    second: Figures

    @property
    def target(self) -> float | None:
        """Target of the ratio on this database."""
        return self.scenario.targets.get(self.database)

    @property
    def ratio(self) -> float:
        """Ratio of the first contender's throughput, 99th percentile or processor time to the second's."""
        match self.scenario.of:
            case "throughput":
                first, second = self.first.per_second, self.second.per_second
            case "p99":
                first, second = self.first.p99_ms, self.second.p99_ms
            case "processor":
                first, second = self.first.processor_us, self.second.processor_us
            case _:
                assert_never(self.scenario.of)
        # Only a contender that never responded has zeros, and its errors say so.
        return first / second if second else 0.0

    @property
    def met(self) -> bool:
        """Whether the first contender met the target."""
        if self.first.errors:
            return False
        if self.target is None:
            return True
        return self.ratio >= self.target if self.scenario.of == "throughput" else self.ratio <= self.target

    @property
    def errors(self) -> dict[str, dict[str, int]]:
        """Errors by contender's label, for contenders with errors."""
        sides = ((self.scenario.first, self.first), (self.scenario.second, self.second))
        return {contender.label: figures.errors for contender, figures in sides if figures.errors}


def run_scenario(scenario: Scenario, database: DatabaseName, databases: Databases, rounds: Rounds) -> Result:
    """Start both contenders with fresh databases and measure them in turn."""
    contenders = (scenario.first, scenario.second)
    scripts = {scenario.first: scenario.script, scenario.second: scenario.second_script or scenario.script}
    # Items that runs have used up, if the script does that.
    used = dict.fromkeys(contenders, 0)
    measured: dict[Contender, list[Measurement]] = {contender: [] for contender in contenders}
    with ExitStack() as stack:
        servers = {
            contender: stack.enter_context(run_server(contender.server, databases, contender.events, contender.changes))
            for contender in contenders
        }
        if scenario.items:
            for server in servers.values():
                if server.stores:
                    prepare(server.url, scenario.items)

        def load(contender: Contender, seconds: int) -> Measurement:
            server, first = servers[contender], used[contender] + 1
            measurement = _load(scripts[contender], scenario, server, first, seconds)
            used[contender] += measurement.requests + UNCOUNTED * scenario.clients
            return measurement

        for number in range(rounds.count):
            # The order alternates, so that one contender's pending disk writes do not always hit the other.
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                server = servers[contender]
                with batches_to(server.url) if contender.batches else nullcontext():
                    load(contender, WARM_UP_SECONDS)
                    measurement = load(contender, rounds.seconds)
                measured[contender].append(measurement)
                if measurement.errors:
                    report = f"{contender.label}: {measurement.errors}; its log ends with\n{server.log_tail()}"
                    print(report, file=sys.stderr)
    return Result(scenario, database, *(Figures.of(measured[contender]) for contender in contenders))


def _load(script: str, scenario: Scenario, server: Server, first: int, seconds: int) -> Measurement:
    arguments = (str(scenario.items), str(first)) if scenario.items else ()
    before = processor_seconds(server.pid)
    measurement = measure(script, server.url, clients=scenario.clients, seconds=seconds, arguments=arguments)
    return msgspec.structs.replace(measurement, processor_seconds=processor_seconds(server.pid) - before)
