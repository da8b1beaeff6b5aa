"""`itemledger events import`."""

from pathlib import Path

import click
import msgspec

from api.app import prepare
from api.cli.database import settle, with_database
from api.cli.progress import Told, how_far, telling
from api.export import manifest
from api.export.manifest import Manifest, Tree
from api.importing import ImportRefusedError, Known, Progress, import_file
from eventstore.database import Database

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--manifest", "manifest_file", type=_FILE, help="Its manifest; FILE.manifest.json where that is there.")
def import_(file: Path, manifest_file: Path | None) -> None:
    """Bring a jsonl export of a whole log into an empty log: the way from SQLite to PostgreSQL, and back.

    Positions, times, command ids and hashes stay as they are. Each event's hash and the tree are worked out anew and
    compared with the manifest, and the projections are filled: a service can be started at once. Exit codes: 0, done;
    1, something does not match, or it failed, and nothing was kept; 130 and 143, it was interrupted: the same.
    """
    settle()
    there = manifest_file or manifest.path_of(file)
    known, expected = [], None
    if manifest_file or there.exists():
        expected = _read(there)
        known.append(Known(expected.log, there.name))

    async def run(database: Database) -> Tree:
        await prepare(database)
        with telling(_told) as tell:
            try:
                return await import_file(database, file, known, expected, tell)
            except ImportRefusedError as error:
                raise click.ClickException(f"{file}: {error}") from None

    tree = with_database(run, stopped="Interrupted: nothing was kept")
    compared = f"as {' and '.join(one.source for one in known)} says" if known else "with nothing to compare it with"
    click.echo(f"{tree.size:,} events; the root is {tree.root}, {compared}")


def _read(path: Path) -> Manifest:
    try:
        return manifest.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise click.ClickException(f"{path}: {error}") from None


def _told(progress: Progress) -> Told:
    total = round(progress.count * progress.size / progress.read)
    return Told("import", how_far(progress.count, total, progress.rate, progress.eta), progress.read, progress.size)
