"""What a rebuild found, as people read it."""

from collections.abc import Iterator, Sequence

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from projections.rebuild.rebuild_state import Report, Sample

#: The exit code where a rebuilt table, or a mended row, was not what the live one was.
DIFFERED = 3


def print_report(report: Report) -> None:
    """Print `report` on standard output: what was done and found, then samples of what differs."""
    done = "and put in place" if report.swapped else "and not put in place: a dry run"
    click.echo(f"{report.projection}, version {report.version}: rebuilt as of position {report.position:,}, {done}")
    for label, value in _facts(report):
        click.echo(f"  {label:<18}{value}")
    print_samples(report.samples, "rebuilt")


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    yield "events replayed", f"{report.events:,} ({report.rate:,.0f} a second)"
    yield "rows", f"{report.rows:,}"
    if report.digest_live is None or report.digest_rebuilt is None:
        yield "rows compared", "none: there was no table before"
    else:
        yield "rows compared", f"{report.rows_compared:,}"
        yield "rows that differ", f"{report.rows_differ:,}"
        yield "digest, live", report.digest_live
        yield "digest, rebuilt", report.digest_rebuilt
        if report.columns_added:
            yield "not compared", f"{', '.join(report.columns_added)}: new"
        if report.columns_dropped:
            yield "not compared", f"{', '.join(report.columns_dropped)}: no longer there"
    if report.lock_held_ms is not None:
        yield "lock held", f"{report.lock_held_ms:,.1f} ms"


def print_samples(samples: Sequence[Sample], against: str) -> None:
    """Print values that differ, if there are any; `against` is the heading over those that the live ones should be."""
    if not samples:
        return
    table = Table("id", "column", "live", against, box=SIMPLE_HEAD)
    for sample in samples:
        # As Python writes it: what is in a damaged row may be anything, even what a terminal takes for a command.
        table.add_row(*map(Text, (str(sample.id), sample.column, repr(sample.live), repr(sample.rebuilt))))
    console = Console()
    console.print(table, width=None if console.is_terminal else 200)
