"""`itemledger console`."""

from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import click

from api.cli.exit_codes import CommandError
from api.cli.output import echo, open_stream
from api.console.offline.page import build
from api.export import atomic_files


@click.command(epilog="Exit codes: 0 done, 2 not done.")
@click.option(
    "--offline-verifier",
    "output",
    metavar="FILE|-",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    help='Write the page to FILE, or "-" for standard output.',
)
@click.option("--overwrite", is_flag=True, help="Replace FILE.")
def console(output: str, overwrite: bool) -> None:
    """Write the offline verifier: one HTML file for auditors.

    Open it in a browser. It verifies exports, proofs and checkpoints as `itemledger verify` does, without the service:
    an auditor who has it from elsewhere need not trust the page that the service sends. It can connect to nothing.

    Prints the SHA-256 of FILE. The same version of Itemledger always writes the same file.
    """
    page, path = build(version("itemledger")).encode(), Path(output)
    try:
        if (stream := open_stream(output)) is not None:
            with stream:
                stream.write(page)
            return
        if path.exists() and not overwrite:
            raise CommandError(f"{path} already exists. Pass --overwrite to replace it.")
        atomic_files.write_whole(path, page)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    echo(f"{path}: {len(page):,} bytes, SHA-256 {sha256(page).hexdigest()}")
