"""`itemledger backup`."""

from pathlib import Path

import click
from rich.console import Console

from api.cli.runner import lower_priority, with_database
from api.export import atomic_files
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.log import log
from eventstore.log.log import Head
from eventstore.merkle import hashing

_MAGIC = b"SQLite format 3\0"
#: What is left of a backup that could not even clear away begins with one of these: its first page may come last.
_BEGINNINGS = (b"", _MAGIC, bytes(len(_MAGIC)))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE, once the new one is complete and checked.")
def backup(file: Path, overwrite: bool) -> None:
    """Copy the whole SQLite database to FILE while the service serves, and check the copy.

    FILE is there whole or not at all, and as the database was at one moment: the position and the root that are printed
    say which. Exit codes: 0, done; 1, it failed; 130 and 143, it was interrupted, and FILE is as it was.
    """
    if file.exists() and not overwrite:
        raise click.ClickException(f"{file} is there already; --overwrite replaces it")
    partial = atomic_files.partial_of(file)
    lower_priority()

    async def run(database: Database) -> Head:
        if _is_of(database, file):
            raise click.ClickException(f"{file} is the database itself")
        with Console(stderr=True).status("Copying, and checking the copy"):
            await database.back_up(partial)
        return await _head(partial)

    try:
        with atomic_files.begin(file) as begun:
            if begun.read(len(_MAGIC)) not in _BEGINNINGS:
                raise click.ClickException(f"{partial} is there already, and is no part of a backup")
            begun.truncate(0)
            try:
                head = with_database(run, stopped="Interrupted: there is no new backup")
                atomic_files.publish(partial, file)
            except BaseException:
                partial.unlink()  # not later: the name may be another's then
                raise
    except atomic_files.BusyError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    size = file.stat().st_size
    click.echo(
        f"{file}: {size:,} bytes, as of position {head.position:,}; the root is {hashing.root(head.frontier).hex()}"
    )


def _is_of(database: Database, file: Path) -> bool:
    return Path(database.url.database or "").resolve() == file.resolve()


async def _head(path: Path) -> Head:
    """Read the log's head from a copy."""
    copy = open_database(f"sqlite+aiosqlite:///{path}")
    try:
        return await copy.read_transaction(log.read_head)
    finally:
        await copy.dispose()
