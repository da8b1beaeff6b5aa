"""`itemledger rebuild NAME --item ID`."""

from typing import NoReturn

import click
import msgspec

from api.app import prepare
from api.cli.report import DIFFERED, print_samples
from api.cli.runner import with_database
from eventstore.database.database import Database
from projections.projection import Projection
from projections.repair import RepairError, RepairReport, repair


def mend_item(projection: Projection, item_id: int, *, dry_run: bool, as_json: bool) -> NoReturn:
    """Mend one item's row of `projection` and its snapshots, tell what was wrong, and end the process."""

    async def run(database: Database) -> RepairReport:
        await prepare(database)
        try:
            return await repair(database, projection, item_id, dry_run=dry_run)
        except RepairError as error:
            raise click.ClickException(str(error)) from None

    mending = with_database(run)
    different = [*mending.row, *mending.snapshots]
    if as_json:
        click.echo(msgspec.json.encode({"mending": mending}))
    else:
        done = ("mended" if mending.mended else "not mended: a dry run") if different else "as the log says"
        click.echo(f"{projection.name}, item {item_id}: {done}, as of position {mending.position:,}")
        print_samples(different, "the log says")
    raise click.exceptions.Exit(DIFFERED if different else 0)
