"""`itemledger events export`."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

import migrations
from api.app import check_schema
from api.cli.progress import progress_reporter, through_log
from api.cli.runner import lower_priority, with_database
from api.export import manifest
from api.export.formats import BY_NAME, Format
from api.export.manifest import ExportRequest
from api.export.output import FileOutput, OutputError, Plan, StreamOutput
from api.export.parquet import MissingExtraError
from api.export.run import export_file, export_stream, plan
from api.http.rfc3339 import parse_time
from api.schemas.event_query import EVENT_TYPES
from api.settings import from_environment
from eventstore.database.database import Database
from eventstore.log.history import Filter
from eventstore.log.history_reader import ReportProgress
from eventstore.log.log import END

_POSITION = click.IntRange(0, END)


class _Time(click.ParamType[str]):
    """An RFC 3339 time, as it was written."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parse_time(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        return str(value)


_TIME = _Time()


class _Export(Struct, frozen=True):
    """What was asked for."""

    format: Format
    #: As it was written, for the manifest.
    filter: dict[str, int | str]
    chosen: Filter
    times: dict[str, int]

    def order(self) -> ExportRequest:
        return ExportRequest(self.format.name, self.filter, from_environment().origin)

    async def plan(self, database: Database) -> Plan:
        return await plan(database, self.order(), self.chosen, **self.times)

    async def to_file(self, path: Path, *, from_scratch: bool, database: Database, tell: ReportProgress) -> str:
        order = self.order()
        encoder = partial(self.format.encoder, order.origin)
        with FileOutput.opened(path, order, from_scratch=from_scratch, resumable=self.format.resumable) as file:
            if file.plan is None:
                file.begin(await self.plan(database))
            made = await export_file(database, encoder, file, tell)
        return f"{made.count:,} events in {path}, {made.bytes:,} bytes; {manifest.path_of(path).name} says more"

    async def to_stream(self, path: Path | None, *, database: Database, tell: ReportProgress) -> str:
        encoder = self.format.encoder(from_environment().origin, False)
        with sys.stdout.buffer if path is None else path.open("wb") as file:
            target = StreamOutput(file)
            await export_stream(database, encoder, (await self.plan(database)).filter, target, tell)
        return f"{target.written.count:,} events, {target.written.bytes:,} bytes"


@click.command()
@click.option("--format", "format_name", type=click.Choice(list(BY_NAME)), default="jsonl", show_default=True)
@click.option("--output", required=True, metavar="FILE|-", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--from", "from", type=_TIME, metavar="TIME", help="Only events recorded then or later (RFC 3339).")
@click.option("--to", type=_TIME, metavar="TIME", help="Only events recorded then or before.")
@click.option("--after", type=_POSITION, metavar="POSITION", help="Only events behind this one.")
@click.option("--before", type=_POSITION, metavar="POSITION", help="Only events before this one.")
@click.option("--item", "item_id", type=click.IntRange(1, END), metavar="ID", help="Only events of this item.")
@click.option(
    "--type",
    type=click.Choice(EVENT_TYPES),
    metavar="TYPE",
    help=f"Only events of this type: {', '.join(EVENT_TYPES)}.",
)
@click.option("--actor", metavar="NAME", help="Only what this one did.")
@click.option("--from-scratch", is_flag=True, help="Start anew, whatever is there already.")
def export(format_name: str, output: str, from_scratch: bool, **asked: Any) -> None:
    """Write the history, or those events that are asked for, to a file or to standard output ("-").

    While the service serves, and as of the moment it begins. FILE.manifest.json then says what is in FILE. The same
    command goes on where it was interrupted, but for parquet. Exit codes: 0, done; 1, it failed; 130 and 143, it was
    interrupted.
    """
    wanted = {name: value for name, value in asked.items() if value is not None}
    times = {"since": "from", "until": "to"}
    order = _Export(
        BY_NAME[format_name],
        wanted,
        Filter(**{name: value for name, value in wanted.items() if name not in times.values()}),
        {name: parse_time(wanted[option]) for name, option in times.items() if option in wanted},
    )
    lower_priority()
    path = None if output == "-" else Path(output)
    write = partial(order.to_stream, path)
    if path and (path.is_file() or not path.exists()):
        write = partial(order.to_file, path, from_scratch=from_scratch)

    async def run(database: Database) -> str:
        check_schema(await database.run_isolated(migrations.current))
        with progress_reporter(through_log("export")) as tell:
            try:
                return await write(database=database, tell=tell)
            except BrokenPipeError:
                raise  # whoever reads has read enough
            except (OutputError, MissingExtraError, OSError) as error:
                raise click.ClickException(str(error)) from None

    click.echo(with_database(run, stopped="Interrupted: the next run goes on from here", small_cache=True), err=True)
