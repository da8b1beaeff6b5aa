"""`itemledger events export`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from api.cli.output import echo, open_stream
from api.cli.progress import progress_reporter
from api.cli.runner import lower_priority, with_database
from api.export import manifest
from api.export.formats import BY_NAME
from api.export.manifest import ExportRequest
from api.export.output import FileOutput, OutputError, StreamOutput
from api.export.parquet import MissingExtraError
from api.export.run import export_file, export_stream, plan
from api.http.rfc3339 import parse_time
from api.settings import from_environment
from api.startup import check_schema
from eventstore.codec import CODEC
from eventstore.database.database import Database
from eventstore.log.head import END
from eventstore.log.history import Filter

_POSITION = click.IntRange(0, END)
_FORMAT = click.Choice(list(BY_NAME))
_OUTPUT = click.Path(dir_okay=False, allow_dash=True)
_TYPES = sorted(CODEC.readers)
#: The options that `plan` takes beside the filter, each with its name there.
_TIMES = {"from": "since", "to": "until"}


def _check_time(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return the time as the operator wrote it, for the manifest."""
    try:
        if value is not None:
            parse_time(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}") from None
    return value


@click.command(epilog="Exit codes: 0 done, 2 not done, 130 and 143 interrupted.")
@click.option("--format", "format_name", type=_FORMAT, default="jsonl", show_default=True, help="File format.")
@click.option("--output", required=True, metavar="FILE|-", type=_OUTPUT, help='File, or "-" for standard output.')
@click.option("--from", "from", callback=_check_time, metavar="TIME", help="Only events at or after TIME (RFC 3339).")
@click.option("--to", callback=_check_time, metavar="TIME", help="Only events at or before TIME.")
@click.option("--after", type=_POSITION, metavar="POSITION", help="Only events after POSITION.")
@click.option("--before", type=_POSITION, metavar="POSITION", help="Only events before POSITION.")
@click.option("--item", "item_id", type=click.IntRange(1, END), metavar="ID", help="Only events of this item.")
@click.option("--type", type=click.Choice(_TYPES), metavar="TYPE", help=f"Only this type: {', '.join(_TYPES)}.")
@click.option("--actor", metavar="NAME", help="Only events of this actor.")
@click.option("--credential", metavar="CREDENTIAL", help="Only events by it: key:ID, or jwt:ISSUER.")
@click.option("--from-scratch", is_flag=True, help="Start again and replace what FILE has.")
def export(format_name: str, output: str, from_scratch: bool, **options: Any) -> None:
    """Export events to a file or to standard output.

    The service may run meanwhile. The export has the events up to the log's position when it began.
    FILE.manifest.json describes it. Run the same command again to resume an interrupted export, except of parquet.
    """
    export_format, path = BY_NAME[format_name], Path(output)
    selection = {name: value for name, value in options.items() if value is not None}
    times = {_TIMES[name]: parse_time(value) for name, value in selection.items() if name in _TIMES}
    event_filter = Filter(**{name: value for name, value in selection.items() if name not in _TIMES})
    lower_priority()

    async def run(database: Database) -> str:
        order = ExportRequest(export_format.name, selection, from_environment().origin)
        make_plan = partial(plan, database, order, event_filter, **times)
        encoder = partial(export_format.encoder, order.origin)
        with progress_reporter(lambda _: "export") as report:
            if (stream := open_stream(output)) is not None:
                with stream:
                    target = StreamOutput(stream)
                    await export_stream(database, encoder(False), (await make_plan()).filter, target, report)
                return f"{target.written.count:,} events, {target.written.bytes:,} bytes"
            with FileOutput.opened(path, order, from_scratch=from_scratch, resumable=export_format.resumable) as file:
                if file.plan is None:
                    file.begin(await make_plan())
                written = await export_file(database, encoder, file, report)
            return f"{written.count:,} events in {path}, {written.bytes:,} bytes; see {manifest.path_of(path).name}"

    summary = with_database(
        run,
        check_schema,
        reported=(OutputError, MissingExtraError, OSError),
        stopped="Interrupted: run the command again to resume",
        small_cache=True,
    )
    echo(summary, err=True)
