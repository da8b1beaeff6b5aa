"""`itemledger events export`."""

import sys
from functools import partial
from pathlib import Path

import click

import migrations
from api.app import check_schema
from api.cli.database import stand_back, with_database
from api.cli.progress import Told, how_far, telling
from api.export import manifest
from api.export.exporting import Progress, Tell, export_file, export_stream, plan
from api.export.formats import BY_NAME
from api.export.manifest import Order
from api.export.target import File, Stream, TargetError
from eventstore.database import Database
from eventstore.history import Filter
from eventstore.log import END

_Position = click.IntRange(0, END)


@click.command()
@click.option("--format", "format_name", type=click.Choice(list(BY_NAME)), default="jsonl", show_default=True)
@click.option("--output", required=True, metavar="FILE|-", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--after", type=_Position, metavar="POSITION", help="Only events behind this one.")
@click.option("--before", type=_Position, metavar="POSITION", help="Only events before this one.")
@click.option("--item", "item_id", type=_Position, metavar="ID", help="Only events of this item.")
@click.option("--type", metavar="TYPE", help="Only events of this type, such as item.created.v1.")
@click.option("--actor", metavar="NAME", help="Only what this one did.")
@click.option("--from-scratch", is_flag=True, help="Start anew, whatever is there already.")
def export(format_name: str, output: str, from_scratch: bool, **asked: int | str | None) -> None:
    """Write the history, or those events that are asked for, to a file or to standard output ("-").

    While the service serves, and as of the moment it begins. FILE.manifest.json then says what is in FILE. The same
    command goes on where it was interrupted. Exit codes: 0, done; 1, it failed; 130 and 143, it was interrupted.
    """
    format = BY_NAME[format_name]
    wanted = {name: value for name, value in asked.items() if value is not None}
    order = Order(format.name, wanted)
    chosen = Filter(**wanted)  # type: ignore[arg-type]
    stand_back()

    async def to_file(path: Path, database: Database, tell: Tell) -> str:
        with File.opened(path, order, from_scratch=from_scratch, resumable=format.resumable) as file:
            made = await export_file(database, format, order, chosen, file, tell)
        return f"{made.count:,} events in {path}, {made.bytes:,} bytes; {manifest.path_of(path).name} says more"

    async def to_stream(path: Path | None, database: Database, tell: Tell) -> str:
        settled = await plan(database, order, chosen)
        with sys.stdout.buffer if path is None else path.open("wb") as file:
            target = Stream(file)
            await export_stream(database, format, settled.chosen, target, tell)
        return f"{target.written.count:,} events, {target.written.bytes:,} bytes"

    path = None if output == "-" else Path(output)
    write = partial(to_file, path) if path and (path.is_file() or not path.exists()) else partial(to_stream, path)

    async def run(database: Database) -> str:
        check_schema(await database.aside(migrations.current))
        with telling(_told) as tell:
            try:
                return await write(database, tell)
            except BrokenPipeError:
                raise  # whoever reads has read enough
            except (TargetError, OSError) as error:
                raise click.ClickException(str(error)) from None

    click.echo(with_database(run, stopped="Interrupted: the next run goes on from here"), err=True)


def _told(progress: Progress) -> Told:
    far = how_far(progress.position, progress.target, progress.rate, progress.eta)
    return Told("export", far, progress.position, progress.target)
