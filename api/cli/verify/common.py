"""Shared by the commands that verify: options, files, the verdict and its exit code."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import msgspec
from msgspec import Struct

from api.cli import exit_codes
from api.cli.exit_codes import CommandError
from api.cli.options import existing_file
from api.cli.output import echo
from api.transparency.formats import checkpoint
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import NoteError, VerifierKey

T = TypeVar("T")


class UnreadableError(CommandError):
    """Nothing can be verified; the message says why."""


class PublicKey(click.ParamType[VerifierKey]):
    """A log's public key: the text itself, or a file that contains it."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> VerifierKey:
        """Parse it. A value that is not valid is a usage error."""
        text = str(value)
        try:
            return VerifierKey.parse(text if "+" in text else Path(text).read_text().strip())
        except (NoteError, OSError, UnicodeError) as error:
            self.fail(f"{text!r} is neither a public key nor a file with one: {error}", param, ctx)


checkpoint_option = click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=existing_file,
    metavar="FILE",
    help="A checkpoint of the log that you saved earlier. Repeat for more than one.",
)
public_key_option = click.option(
    "--public-key",
    "keys",
    metavar="KEY|FILE",
    multiple=True,
    type=PublicKey(),
    help="Key that must have signed the checkpoints. Repeat it if the log changed its key: one of them is enough.",
)


def read_text(path: Path) -> str:
    """Read a file. Raises UnreadableError."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from None
    except UnicodeError:
        raise UnreadableError(f"{path} is not UTF-8 text") from None


def read_json(path: Path, kind: type[T], name: str) -> T:
    """Read a file of JSON that is `name`. Raises UnreadableError."""
    try:
        return msgspec.json.decode(read_text(path), type=kind)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"{path} is not {name}: {error}") from None


def read_checkpoint(path: Path, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Read a checkpoint from a file, signed by one of `keys` if there are any. Raises UnreadableError."""
    try:
        return checkpoint.read(read_text(path), keys)
    except NoteError as error:
        raise UnreadableError(f"{path}: {error}") from None


def read_checkpoints(paths: Sequence[Path], keys: Sequence[VerifierKey]) -> list[Checkpoint]:
    """Read the files of --checkpoint. Raises UnreadableError, and UsageError for --public-key alone."""
    if keys and not paths:
        raise click.UsageError("--public-key needs --checkpoint: it verifies the checkpoints' signatures")
    return [read_checkpoint(path, keys) for path in paths]


def signature_note(keys: Sequence[VerifierKey]) -> str:
    """Return a remark on whether the checkpoints' signatures were verified."""
    return "signature verified" if keys else "signature not checked: no --public-key"


def printable(text: str) -> str:
    """Return `text`, escaped if a terminal might interpret it as a command."""
    return text if text.isprintable() else ascii(text)


def finish(verdict: Struct, lines: Iterable[str], *, passed: bool, as_json: bool) -> NoReturn:
    """Print a verdict, as one JSON object or as `lines`, and end the process."""
    echo(msgspec.json.encode(verdict) if as_json else "\n".join(lines))
    exit_codes.finish(found=not passed)
