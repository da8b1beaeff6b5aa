"""`itemledger events import`."""

from pathlib import Path

import click

from api.app import prepare
from api.cli.progress import progress_reporter, through_log
from api.cli.runner import freeze_gc, with_database
from api.cli.verify.common import existing_file, heads_of, kept_checkpoints, public_keys, read_checkpoints
from api.export.exported_log import LogFiles, UnreadableFileError
from api.export.import_run import import_files
from api.transparency.formats.signed_note import VerifierKey
from eventstore.database.database import Database
from eventstore.merkle.tree_head import TreeHead


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=existing_file)
@kept_checkpoints
@public_keys
def import_(files: tuple[Path, ...], checkpoints: tuple[Path, ...], keys: tuple[VerifierKey, ...]) -> None:
    """Bring a log that was exported as jsonl into an empty one: the way from SQLite to PostgreSQL, and back.

    FILES are, one after the other, the whole log. Positions, times, command ids and hashes stay as they are. Each event
    and the tree are verified, by the manifests beside FILES and the checkpoints that are given, and the projections are
    filled: a service can be started at once. Exit codes: 0, done; 1, it failed, and nothing was kept; 130 and 143, it
    was interrupted: the same.
    """
    known = heads_of(read_checkpoints(checkpoints, keys))
    freeze_gc()
    try:
        exported = LogFiles(files)
    except UnreadableFileError as error:
        raise click.ClickException(str(error)) from None

    async def run(database: Database) -> TreeHead:
        await prepare(database)
        with progress_reporter(through_log("import")) as tell:
            try:
                return await import_files(database, exported, known, tell)
            except UnreadableFileError as error:
                raise click.ClickException(str(error)) from None

    head = with_database(run, stopped="Interrupted: nothing was kept")
    heads = len(known) + len(exported.heads)
    against = "which no manifest or checkpoint was there to confirm" if not heads else "as was known of it"
    click.echo(f"{head.size:,} events; the root is {head.root.hex()}, {against}")
