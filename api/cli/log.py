"""`itemledger log`."""

import os
from pathlib import Path

import click

from api.cli.exit_codes import CommandError
from api.cli.output import echo
from api.transparency.formats.signed_note import NoteError, SignerKey


@click.group()
def log() -> None:
    """Manage the key that signs checkpoints."""


@log.command(epilog="Exit codes: 0 done, 2 not done.")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
def keygen(name: str, file: Path) -> None:
    """Create the key of the log NAME, write it to FILE, and print its public key.

    NAME is best an address without a scheme, such as ledger.example.com/log. FILE must not exist yet. It is secret: set
    ITEMLEDGER_LOG_KEY_FILE to its path. Publish the public key: with it anyone can verify the log's signatures.
    """
    try:
        key = SignerKey.generate(name)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            output.write(f"{key.write()}\n")
    except NoteError as error:
        raise click.UsageError(f"NAME: {error}") from None
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
    echo(str(key.verifier))


@log.command("public-key", epilog="Exit codes: 0 done, 2 no key is configured, or a setting is not valid.")
def public_key() -> None:
    """Print the public key of each configured key, one a line."""
    from api.settings import SettingsError, from_environment  # not for keygen: they import SQLAlchemy

    try:
        keys = from_environment().log_key
    except SettingsError as error:
        raise CommandError(str(error)) from None
    if keys is None:
        raise CommandError("No key is configured. Set ITEMLEDGER_LOG_KEY_FILE or ITEMLEDGER_LOG_KEY.")
    for signer in keys.signers:
        echo(str(signer.verifier))
