"""Writes the results as Markdown."""

from collections.abc import Mapping, Sequence

from benchmarks.replay import report
from benchmarks.replay.scenario import Replayed
from benchmarks.rounds import Figures, Result, Rounds

_HEAD = """\
| scenario | Itemledger: req/s | p50 ms | p99 ms | compared with | req/s | p50 ms | p99 ms | ratio | target | met |
|---|--:|--:|--:|---|--:|--:|--:|--:|--:|---|"""

_INTRODUCTION = """\
# Benchmarks

Itemledger is measured beside a plain CRUD service, `benchmarks/baseline_crud.py`. That is the guide's service with
the same framework, an ORM model, one transaction per request, the same durability, and SQLAlchemy's default
connection pool. The rows named `tuned` give it the pool size that served it best. `make bench` writes this page and
needs `wrk` (`apt-get install wrk`). `make bench ARGS="--quick --only sqlite"` runs a part and prints it; `--scenario`
takes the names below."""


def markdown(
    results: Mapping[str, Sequence[Result]],
    replays: Mapping[str, Replayed],
    machine: Sequence[str],
    rounds: Rounds,
    date: str,
    prepared: int,
) -> str:
    """Return the whole page. The keys of `results` and `replays` are the databases' headings."""
    method = (
        f"Each pair runs side by side and is loaded in turn: {rounds.count} rounds of {rounds.seconds} s each, with a"
        f" warm-up before every round. The figures are the medians of the rounds. Reads choose among {prepared:,}"
        " items. Each service has one process with uvloop and httptools, and everything runs on 127.0.0.1. The ratio"
        " compares the throughput, or p99 where the target says so, of both services on one machine at one time."
        " Trust the ratios: the absolute figures depend on the machine."
    )
    facts = "\n".join(f"- {line}" for line in machine)
    sections = []
    for database, rows in results.items():
        sections.append(f"## {database}")
        if rows:
            sections.append(table(rows))
        if database in replays:
            sections.append(report.tables(replays[database]))
    paragraphs = (_INTRODUCTION, method, report.METHOD, f"Measured on {date}:\n\n{facts}")
    return "\n\n".join([*paragraphs, *sections]) + "\n"


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
    sign = "p99 ≤" if scenario.of == "p99" else "≥"
    target = "no error" if scenario.target is None else f"{sign} {scenario.target:g}"
    title = f"`{scenario.name}`: {scenario.title}"
    cells = (
        title,
        *_cells(result.first),
        scenario.second.label,
        *_cells(result.second),
        f"{result.ratio:.2f}",
        target,
        "yes" if result.met else "no",
    )
    return f"| {' | '.join(cells)} |"


def _cells(figures: Figures) -> tuple[str, str, str]:
    return f"{figures.per_second:,.0f}", f"{figures.p50_ms:.2f}", f"{figures.p99_ms:.2f}"
