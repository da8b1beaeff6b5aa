"""`itemledger log`."""

import os
from pathlib import Path

import click

from api.settings import SettingsError, from_environment
from api.transparency.formats.signed_note import NoteError, SignerKey


@click.group()
def log() -> None:
    """Make and show the key by which the log's checkpoints are signed."""


@log.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def keygen(name: str, file: Path) -> None:
    """Make a key for the log that is to be known as NAME, and write it to FILE, which must not be there yet.

    NAME is best an address without its scheme, such as ledger.example.com/log. FILE is the secret: name it in
    ITEMLEDGER_LOG_KEY_FILE. What is printed is the public key, for whoever is to check signatures.
    """
    try:
        key = SignerKey.generate(name)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(f"{key.write()}\n")
    except NoteError as error:
        raise click.UsageError(f"NAME: {error}") from None
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    click.echo(key.verifier)


@log.command("public-key")
def public_key() -> None:
    """Print the public key of the key that is set, or one a line of several."""
    try:
        keys = from_environment().log_key
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    if keys is None:
        raise click.ClickException("No key is set, by ITEMLEDGER_LOG_KEY_FILE or ITEMLEDGER_LOG_KEY")
    for signer in keys.signers:
        click.echo(signer.verifier)
