"""`itemledger rebuild`."""

import sys
from functools import partial
from typing import NoReturn

import click
import msgspec

from api.cli.exit_codes import CommandError, finish
from api.cli.options import json_option
from api.cli.output import echo
from api.cli.progress import progress_reporter
from api.cli.report import print_report, print_samples
from api.cli.runner import lower_priority, with_database
from api.startup import prepare, stop_when
from eventstore.database.database import Database
from eventstore.errors import LockHeldError
from projections import PROJECTIONS
from projections.projection import Projection
from projections.rebuild.rebuild import Options, Progress
from projections.rebuild.rebuild import rebuild as replay
from projections.rebuild.rebuild_state import OvertakenError, RebuildCancelledError, Report
from projections.repair import RepairError, repair

_BY_NAME = {projection.name: projection for projection in PROJECTIONS}


@click.command(epilog="Exit codes: 0 no differences, 1 differences found, 2 not done, 130 and 143 interrupted.")
@click.argument("name", type=click.Choice(list(_BY_NAME)))
@click.option("--from-scratch", is_flag=True, help="Discard what an interrupted rebuild has done.")
@click.option("--dry-run", is_flag=True, help="Report the differences and change nothing.")
@click.option("--throttle", type=click.IntRange(1), metavar="EVENTS_PER_S", help="Replay rate.  [default: no limit]")
@click.option("--item", "item_id", type=int, metavar="ID", help="Repair only this item's row and snapshots.")
@click.option("--request", hidden=True, help="The request of a service that starts this process.")
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop when standard input ends: the service has ended.")
@json_option
def rebuild(
    name: str,
    from_scratch: bool,
    dry_run: bool,
    throttle: int | None,
    item_id: int | None,
    request: str | None,
    with_parent: bool,
    as_json: bool,
) -> None:
    """Rebuild a projection from the log while the service runs.

    Builds a new table next to the live one, compares them, and swaps it in. Run the command again to resume an
    interrupted rebuild. With --json, prints an object a line: progress, and the report at the end.
    """
    if with_parent:
        stop_when(sys.stdin.read)
    if item_id is not None:
        if from_scratch or throttle is not None:
            raise click.UsageError("--item cannot be combined with --from-scratch or --throttle")
        _repair(_BY_NAME[name], item_id, dry_run=dry_run, as_json=as_json)
    options = Options(from_scratch, dry_run, throttle, request)
    lower_priority()

    async def run(database: Database) -> Report:
        with progress_reporter(_phase, is_counted=_is_counted, as_json=as_json) as report_progress:
            try:
                return await replay(database, _BY_NAME[name], options, report_progress)
            except LockHeldError:
                raise CommandError(f"A rebuild of {name} is already running") from None
            except (RebuildCancelledError, OvertakenError) as error:
                raise CommandError(str(error.__doc__)) from None

    report = with_database(run, prepare, stopped="Interrupted: run the command again to resume")
    if as_json:
        echo(msgspec.json.encode({"report": report}))
    else:
        print_report(report)
    finish(found=report.rows_differ > 0)


def _phase(progress: Progress) -> str:
    return f"{progress.projection}, {progress.phase}"


def _is_counted(progress: Progress) -> bool:
    return progress.phase == "fill"


def _repair(projection: Projection, item_id: int, *, dry_run: bool, as_json: bool) -> NoReturn:
    """Repair one item's row of `projection` and its snapshots, print what differed, and end the process."""
    run = partial(repair, projection=projection, item_id=item_id, dry_run=dry_run)
    report = with_database(run, prepare, reported=(RepairError,))
    samples = [*report.row, *report.snapshots]
    if as_json:
        echo(msgspec.json.encode({"mending": report}))
    else:
        outcome = ("repaired" if report.mended else "not repaired (dry run)") if samples else "matches the log"
        echo(f"{projection.name}, item {item_id}: {outcome}, as of position {report.position:,}")
        print_samples(samples, "log")
    finish(found=bool(samples))
