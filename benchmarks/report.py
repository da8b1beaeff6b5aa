"""Writes the results as Markdown."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from benchmarks import start_and_memory
from benchmarks.replay import report
from benchmarks.replay.scenario import Replayed
from benchmarks.rounds import Figures, Result, Rounds

_HEAD: Final = """\
| scenario | Itemledger: req/s | p50 ms | p99 ms | µs/req | compared with | req/s | p50 ms | p99 ms | µs/req | ratio \
| target | met |
|---|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|---|"""

_SIGNS: Final = {"throughput": "≥", "p99": "p99 ≤", "processor": "µs/req ≤"}

_INTRODUCTION: Final = """\
# Benchmarks

Itemledger is measured beside a plain CRUD service, `benchmarks/baseline_crud.py`. That is the guide's service with
the same framework, an ORM model, one transaction per request, the same durability, and SQLAlchemy's default
connection pool. The rows named `tuned` give it the pool size that served it best. The framework's POST is
`benchmarks/framework.py`: FasterAPI and uvicorn decode a body and answer with it, without a boundary, a log line or a
database. `make bench` writes this page and needs `wrk` (`apt-get install wrk`). `make bench ARGS="--quick --only
sqlite"` runs a part and prints it; `--scenario` takes the names below."""


class Section(msgspec.Struct):
    """Results on one database; a partial run lacks some."""

    database: str
    results: list[Result] = []
    started: list[start_and_memory.Line] = []
    replayed: Replayed | None = None

    @property
    def failed(self) -> bool:
        """Whether a run had errors, or a rebuilt table differed."""
        return any(result.errors for result in self.results) or (self.replayed is not None and self.replayed.wrong)

    def missed(self) -> Iterator[str]:
        """Return what did not meet its target."""
        for result in self.results:
            if not result.met:
                ratio = "" if result.target is None else f", ratio {result.ratio:.2f}"
                yield f"`{result.scenario.name}`: {_target(result)}{ratio}"
        yield from start_and_memory.missed(self.started)
        if self.replayed is not None:
            yield from report.missed(self.replayed)

    def markdown(self) -> Iterator[str]:
        """Return its paragraphs."""
        yield f"## {self.database}"
        if self.results or self.started or self.replayed:
            missed = "\n".join(f"- {line}" for line in self.missed())
            yield f"Targets not met:\n\n{missed}" if missed else "Every target is met."
        if self.results:
            yield table(self.results)
        if self.started:
            yield start_and_memory.table(self.started)
        if self.replayed is not None:
            yield report.tables(self.replayed)


def markdown(sections: Sequence[Section], machine: Sequence[str], rounds: Rounds, date: str, prepared: int) -> str:
    """Return the whole page."""
    method = (
        f"Each pair runs side by side and is loaded in turn: {rounds.count} rounds of {rounds.seconds} s each, with a"
        f" warm-up before every round. The figures are the medians of the rounds. Reads and changes choose among"
        f" {prepared:,} items. Each service has one process with uvloop and httptools unless the row says otherwise,"
        " and everything runs on 127.0.0.1. `µs/req` is the processor time of the server's processes, without"
        " PostgreSQL's, divided by the requests of the round. The ratio compares the throughput, or p99 or `µs/req`"
        " where the target says so, of both services on one machine at one time. Trust the ratios: the absolute"
        " figures depend on the machine. Noise affects `µs/req` least."
    )
    facts = "\n".join(f"- {line}" for line in machine)
    methods = (_INTRODUCTION, method, start_and_memory.METHOD, report.METHOD, f"Measured on {date}:\n\n{facts}")
    return "\n\n".join([*methods, *(part for section in sections for part in section.markdown())]) + "\n"


def table(results: Sequence[Result]) -> str:
    """Return the table of one database's results, followed by a line for each result with errors."""
    rows = "\n".join(_row(result) for result in results)
    errors = "".join(
        f"\n\nErrors in {result.scenario.name}: {label}: "
        + ", ".join(f"{kind} {count} times" for kind, count in kinds.items())
        for result in results
        for label, kinds in result.errors.items()
    )
    return f"{_HEAD}\n{rows}{errors}"


def _row(result: Result) -> str:
    scenario = result.scenario
    cells = (
        f"`{scenario.name}`: {scenario.title}",
        *_cells(result.first),
        scenario.second.label,
        *_cells(result.second),
        f"{result.ratio:.2f}",
        _target(result),
        "yes" if result.met else "no",
    )
    return f"| {' | '.join(cells)} |"


def _target(result: Result) -> str:
    return "no error" if result.target is None else f"{_SIGNS[result.scenario.of]} {result.target:g}"


def _cells(figures: Figures) -> tuple[str, ...]:
    return (
        f"{figures.per_second:,.0f}",
        f"{figures.p50_ms:.2f}",
        f"{figures.p99_ms:.2f}",
        f"{figures.processor_us:,.0f}",
    )
