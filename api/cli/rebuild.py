"""`itemledger rebuild`."""

import os

import click
import msgspec

from api.app import prepare
from api.cli.database import with_database
from api.cli.progress import telling
from api.cli.report import print_report
from api.cli.serve import settle
from eventstore.database import Database
from eventstore.errors import LockHeldError
from projections import PROJECTIONS
from projections.rebuild import Options
from projections.rebuild import rebuild as replay
from projections.rebuilds import OvertakenError, RebuildCancelledError, Report

#: What is less urgent than answering requests, if they are answered on the same machine.
_NICE = 10
#: The exit code where the rebuilt table was not what the live one was.
_DIFFERED = 3


@click.command()
@click.argument("name", type=click.Choice([projection.name for projection in PROJECTIONS]))
@click.option("--from-scratch", is_flag=True, help="Start anew, whatever an interrupted run has left.")
@click.option("--dry-run", is_flag=True, help="Do all but put the rebuilt table in place.")
@click.option("--throttle", type=click.IntRange(1), metavar="EVENTS_PER_S", help="Replay no more than this.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line: progress, at last the report.")
def rebuild(name: str, from_scratch: bool, dry_run: bool, throttle: int | None, as_json: bool) -> None:
    """Rebuild a projection's table from the log, while the service serves.

    A table is filled beside the one that serves, compared with it, and put in its place. A run that was interrupted is
    gone on with. Exit codes: 0, both were the same; 3, they differed; 1, it failed; 130 and 143, it was interrupted.
    """
    [projection] = [projection for projection in PROJECTIONS if projection.name == name]
    options = Options(from_scratch=from_scratch, dry_run=dry_run, throttle=throttle)
    os.nice(_NICE)
    settle()

    async def run(database: Database) -> Report:
        await prepare(database)
        with telling(as_json=as_json) as tell:
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
    raise click.exceptions.Exit(_DIFFERED if report.rows_differ else 0)
