"""Runs a scenario: both contenders alternate in short rounds, so that noise affects both alike."""

import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from typing import Final, Self

import msgspec

from benchmarks.databases import Databases
from benchmarks.load import Measurement, measure, prepare
from benchmarks.scenarios import Contender, Scenario
from benchmarks.servers import Server, batches_to, run_server

WARM_UP_SECONDS: Final = 1


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
            dict(errors),
        )


class Result(msgspec.Struct, frozen=True):
    """Result of a scenario."""

    scenario: Scenario
    first: Figures
    second: Figures

    @property
    def ratio(self) -> float:
        """Ratio of the first contender's throughput, or 99th percentile, to the second's."""
        if self.scenario.of == "p99":
            return self.first.p99_ms / self.second.p99_ms
        # Only a contender that never responded has no throughput, and its errors say so.
        return self.first.per_second / self.second.per_second if self.second.per_second else 0.0

    @property
    def met(self) -> bool:
        """Whether the first contender met the target."""
        if self.first.errors:
            return False
        target = self.scenario.target
        if target is None:
            return True
        return self.ratio <= target if self.scenario.of == "p99" else self.ratio >= target

    @property
    def errors(self) -> dict[str, dict[str, int]]:
        """Errors by contender's label, for contenders with errors."""
        sides = ((self.scenario.first, self.first), (self.scenario.second, self.second))
        return {contender.label: figures.errors for contender, figures in sides if figures.errors}


def run_scenario(scenario: Scenario, databases: Databases, rounds: Rounds) -> Result:
    """Start both contenders with fresh databases and measure them in turn."""
    contenders = (scenario.first, scenario.second)
    measured: dict[Contender, list[Measurement]] = {contender: [] for contender in contenders}
    with ExitStack() as stack:
        servers = {
            contender: stack.enter_context(run_server(contender.server, databases, contender.events, contender.changes))
            for contender in contenders
        }
        if scenario.items:
            for server in servers.values():
                prepare(server.url, scenario.items)
        for number in range(rounds.count):
            # The order alternates, so that one contender's pending disk writes do not always hit the other.
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                server = servers[contender]
                with batches_to(server.url) if contender.batches else nullcontext():
                    _load(scenario, server, WARM_UP_SECONDS)
                    measurement = _load(scenario, server, rounds.seconds)
                measured[contender].append(measurement)
                if measurement.errors:
                    report = f"{contender.label}: {measurement.errors}; its log ends with\n{server.log_tail()}"
                    print(report, file=sys.stderr)
    return Result(scenario, *(Figures.of(measured[contender]) for contender in contenders))


def _load(scenario: Scenario, server: Server, seconds: int) -> Measurement:
    arguments = (str(scenario.items),) if scenario.items else ()
    return measure(scenario.script, server.url, clients=scenario.clients, seconds=seconds, arguments=arguments)
