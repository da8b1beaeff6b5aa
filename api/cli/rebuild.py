"""`itemledger rebuild`."""

import click
import msgspec

from api.app import prepare
from api.cli.progress import ProgressLine, how_far, progress_reporter
from api.cli.repair import mend_item
from api.cli.report import DIFFERED, print_report
from api.cli.runner import lower_priority, with_database
from eventstore.database.database import Database
from eventstore.errors import LockHeldError
from projections import PROJECTIONS
from projections.rebuild.rebuild import Options, Progress
from projections.rebuild.rebuild import rebuild as replay
from projections.rebuild.rebuild_state import OvertakenError, RebuildCancelledError, Report


@click.command()
@click.argument("name", type=click.Choice([projection.name for projection in PROJECTIONS]))
@click.option("--from-scratch", is_flag=True, help="Start anew, whatever an interrupted run has left.")
@click.option("--dry-run", is_flag=True, help="Do all but put the rebuilt table in place.")
@click.option("--throttle", type=click.IntRange(1), metavar="EVENTS_PER_S", help="Replay no more than this.")
@click.option("--item", "item_id", type=int, metavar="ID", help="Mend this item's row and snapshots, and no more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line: progress, at last the report.")
def rebuild(
    name: str, from_scratch: bool, dry_run: bool, throttle: int | None, item_id: int | None, as_json: bool
) -> None:
    """Rebuild a projection's table from the log, while the service serves.

    A table is filled beside the one that serves, compared with it, and put in its place. A run that was interrupted is
    gone on with. Exit codes: 0, both were the same; 3, they differed; 1, it failed; 130 and 143, it was interrupted.
    """
    [projection] = [projection for projection in PROJECTIONS if projection.name == name]
    if item_id is not None:
        if from_scratch or throttle is not None:
            raise click.UsageError("--item goes with neither --from-scratch nor --throttle")
        mend_item(projection, item_id, dry_run=dry_run, as_json=as_json)
    options = Options(from_scratch=from_scratch, dry_run=dry_run, throttle=throttle)
    lower_priority()

    async def run(database: Database) -> Report:
        await prepare(database)
        with progress_reporter(_told, as_json=as_json) as tell:
            try:
                return await replay(database, projection, options, tell)
            except LockHeldError:
                raise click.ClickException(f"{name} is being rebuilt already") from None
            except (RebuildCancelledError, OvertakenError) as error:
                raise click.ClickException(str(error.__doc__)) from None

    report = with_database(run, stopped="Interrupted: the next run goes on from here")
    if as_json:
        click.echo(msgspec.json.encode({"report": report}))
    else:
        print_report(report)
    raise click.exceptions.Exit(DIFFERED if report.rows_differ else 0)


def _told(progress: Progress) -> ProgressLine:
    """Put progress in words. How far the replay is can be said; of other phases only their beginning is known."""
    position, target = progress.position, progress.target
    far = how_far(position, target, progress.rate, progress.eta) if progress.phase == "fill" else ""
    return ProgressLine(f"{progress.projection}, {progress.phase}", far, position, target)
