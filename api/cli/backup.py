"""`itemledger backup`."""

from pathlib import Path
from urllib.parse import quote

import click
from rich.console import Console

from api.cli.exit_codes import CommandError
from api.cli.output import echo
from api.cli.runner import lower_priority, with_database
from api.export import atomic_files
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.log.head import Head, read_head
from eventstore.merkle import hashing

_MAGIC = b"SQLite format 3\0"
#: A partial file of a killed backup begins with one of these: its first page may be written last.
_BEGINNINGS = (b"", _MAGIC, bytes(len(_MAGIC)))


@click.command(epilog="Exit codes: 0 done, 2 not done, 130 and 143 interrupted; FILE is then unchanged.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE once the new copy is complete and checked.")
def backup(file: Path, overwrite: bool) -> None:
    """Copy the SQLite database to FILE and check the copy.

    The service may run meanwhile. The copy is the database as of one moment, whose position and tree root are printed.
    FILE appears only when it is complete. For PostgreSQL use pg_dump or pg_basebackup.
    """
    if file.exists() and not overwrite:
        raise CommandError(f"{file} already exists. Pass --overwrite to replace it.")
    partial = atomic_files.partial_of(file)
    lower_priority()

    async def run(database: Database) -> Head:
        if _is_of(database, file):
            raise CommandError(f"{file} is the database itself")
        with Console(stderr=True).status("Copying, and checking the copy"):
            await database.back_up(partial)
        copy = open_database(f"sqlite+aiosqlite:///{quote(str(partial))}")
        try:
            return await copy.read_transaction(read_head)
        finally:
            await copy.dispose()

    try:
        with atomic_files.begin(file) as started:
            if started.read(len(_MAGIC)) not in _BEGINNINGS:
                raise CommandError(f"{partial} already exists and was not created by `itemledger backup`")
            started.truncate(0)
            try:
                head = with_database(run, stopped="Interrupted: no backup was written")
                atomic_files.publish(partial, file)
            except BaseException:
                partial.unlink()  # while the lock is held: later the name may belong to another process
                raise
    except atomic_files.RefusedFileError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
    size, root = file.stat().st_size, hashing.root(head.frontier).hex()
    echo(f"{file}: {size:,} bytes, as of position {head.position:,}; the root is {root}")


def _is_of(database: Database, file: Path) -> bool:
    return Path(database.url.database or "").resolve() == file.resolve()
