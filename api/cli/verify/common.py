"""What commands that verify have in common: what they are given to go by, and how they end."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from api.transparency.formats import checkpoint
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import NoteError, VerifierKey
from eventstore.merkle.tree_head import TreeHead

#: Exit codes: it is as it should be; it is not; it can't be told.
INTACT, TAMPERED, UNREADABLE = 0, 1, 2


class UnreadableError(click.ClickException):
    """Nothing can be verified; the message says why."""

    exit_code = UNREADABLE


class PublicKey(click.ParamType[VerifierKey]):
    """A log's public key: the text itself, or a file that has it."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> VerifierKey:
        """Read it; a value that is none is an error of usage."""
        text = str(value)
        try:
            return VerifierKey.parse(text if "+" in text else Path(text).read_text().strip())
        except (NoteError, OSError, UnicodeError) as error:
            self.fail(f"{text!r} is neither a public key nor a file with one: {error}", param, ctx)


existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
kept_checkpoints = click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=existing_file,
    metavar="FILE",
    help="A checkpoint of the log that was kept; as many as there are.",
)
public_keys = click.option(
    "--public-key",
    "keys",
    metavar="KEY|FILE",
    multiple=True,
    type=PublicKey(),
    help="By which checkpoints must be signed; one of several, where a log has changed its key.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def read_text(path: Path) -> str:
    """Read a file. Raises UnreadableError."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
    except UnicodeError:
        raise UnreadableError(f"{path} is not a text in UTF-8") from None


def read_checkpoint(path: Path, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Read a file with a checkpoint, signed by one of `keys` where there are any. Raises UnreadableError."""
    try:
        return checkpoint.read(read_text(path), keys)
    except NoteError as error:
        raise UnreadableError(f"{path}: {error}") from None


def read_checkpoints(paths: Sequence[Path], keys: Sequence[VerifierKey]) -> list[Checkpoint]:
    """Read those of `kept_checkpoints`, by the `public_keys`. Raises UnreadableError, and UsageError for keys alone."""
    if keys and not paths:
        raise click.UsageError("--public-key is for signatures of checkpoints: give --checkpoint")
    return [read_checkpoint(path, keys) for path in paths]


def heads_of(checkpoints: Iterable[Checkpoint]) -> list[TreeHead]:
    """Give the heads that a log must have had that had these checkpoints."""
    return [TreeHead(checkpoint.size, checkpoint.root) for checkpoint in checkpoints]


def trust(keys: Sequence[VerifierKey]) -> str:
    """Say whether checkpoints were believed or verified."""
    return "signature verified" if keys else "signature not checked: no --public-key"


def shown(text: str) -> str:
    """Give `text` as it can be shown: what a terminal might take for a command is written as Python writes it."""
    return text if text.isprintable() else ascii(text)
