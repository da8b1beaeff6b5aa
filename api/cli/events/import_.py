"""`itemledger events import`."""

from pathlib import Path

import click

from api.cli.exit_codes import CommandError
from api.cli.options import existing_file
from api.cli.output import echo
from api.cli.progress import progress_reporter
from api.cli.runner import freeze_gc, with_database
from api.cli.verify.common import checkpoint_option, public_key_option, read_checkpoints
from api.export.exported_log import LogFiles, UnreadableFileError
from api.export.import_run import import_files
from api.startup import prepare
from api.transparency.formats.signed_note import VerifierKey
from eventstore.database.database import Database
from eventstore.merkle.tree_head import TreeHead


@click.command(
    "import", epilog="Exit codes: 0 done, 2 not done, 130 and 143 interrupted. Unless it is done, nothing is imported."
)
@click.argument("files", nargs=-1, required=True, type=existing_file)
@checkpoint_option
@public_key_option
def import_(files: tuple[Path, ...], checkpoints: tuple[Path, ...], keys: tuple[VerifierKey, ...]) -> None:
    """Import an exported log into an empty one.

    Use it to move from SQLite to PostgreSQL, or back. FILES are jsonl exports that together, in this order, are the
    whole log. Positions, times, command ids and hashes stay the same. Every event and the tree are verified against the
    manifests next to FILES and against the checkpoints. The projections are filled too, so that a service can start at
    once.
    """
    known_heads = [TreeHead(saved.size, saved.root) for saved in read_checkpoints(checkpoints, keys)]
    freeze_gc()
    try:
        exported = LogFiles(files)
    except UnreadableFileError as error:
        raise CommandError(str(error)) from None

    async def run(database: Database) -> TreeHead:
        with progress_reporter(lambda _: "import") as report:
            return await import_files(database, exported, known_heads, report)

    head = with_database(run, prepare, reported=(UnreadableFileError,), stopped="Interrupted: nothing was imported")
    source = "the manifest" if exported.heads else "the checkpoint" if known_heads else None
    check = f"matches {source}" if source else "not checked: no manifest or checkpoint"
    echo(f"{head.size:,} events; the root is {head.root.hex()} ({check})")
