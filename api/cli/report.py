"""The report of a rebuild, and samples of differing values, for a person to read."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.cli.output import echo
from projections.rebuild.rebuild_state import Report, Sample


def print_report(report: Report) -> None:
    """Print `report` on standard output, then samples of what differs."""
    outcome = "swapped in" if report.swapped else f"{report.rows_corrected:,} rows corrected"
    if report.lock_held_ms is None:
        outcome = "nothing changed (dry run)"
    echo(f"{report.projection}, version {report.version}: rebuilt as of position {report.position:,}, {outcome}")
    lines = [("events replayed", f"{report.events:,} ({report.rate:,.0f} a second)"), ("rows", f"{report.rows:,}")]
    if report.digest_live is None or report.digest_rebuilt is None:
        lines += [("rows compared", "none: there was no table before")]
    else:
        lines += [("rows compared", f"{report.rows_compared:,}"), ("rows that differ", f"{report.rows_differ:,}")]
        lines += [("digest, live", report.digest_live), ("digest, rebuilt", report.digest_rebuilt)]
        for columns, change in ((report.columns_added, "new"), (report.columns_dropped, "removed")):
            if columns:
                lines += [("not compared", f"{', '.join(columns)}: {change}")]
    if report.lock_held_ms is not None:
        lines += [("lock held", f"{report.lock_held_ms:,.1f} ms")]
    print_lines(lines)
    print_samples(report.samples, "rebuilt")


def print_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Print labels and values, a pair a line."""
    for label, value in lines:
        echo(f"  {label:<18}{value}")


def print_samples(samples: Sequence[Sample], expected: str) -> None:
    """Print differing values, if there are any, in the columns "live" and `expected`."""
    if not samples:
        return
    table = Table("id", "column", "live", expected, box=SIMPLE_HEAD)
    for sample in samples:
        # As a Python literal: a damaged row may hold anything, even terminal control sequences.
        table.add_row(*map(Text, (str(sample.id), sample.column, repr(sample.live), repr(sample.rebuilt))))
    console = Console()
    console.print(table, width=None if console.is_terminal else 200)
