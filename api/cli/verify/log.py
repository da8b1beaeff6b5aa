"""`itemledger verify log`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import click
import msgspec
from msgspec import Struct
from rich.console import Console

from api.cli.progress import progress_reporter, through_log
from api.cli.runner import lower_priority, with_database
from api.cli.verify.common import (
    INTACT,
    TAMPERED,
    UnreadableError,
    as_json,
    existing_file,
    heads_of,
    kept_checkpoints,
    public_keys,
    read_checkpoints,
    shown,
    trust,
)
from api.export import exported_log
from api.export.exported_log import UnreadableFileError
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import VerifierKey
from eventstore.database.database import Database
from eventstore.errors import TamperedError
from eventstore.log.history_reader import ReportProgress
from eventstore.merkle import verify_database
from eventstore.merkle.tree_head import TreeHead


class Fault(Struct, frozen=True):
    """The first thing that is wrong."""

    position: int
    reason: str


class Verdict(Struct, frozen=True):
    """What was found of a log."""

    intact: bool
    fault: Fault | None
    #: The number of events and the root of their tree, where it is intact.
    tree_size: int | None
    root_hash: str | None
    seconds: float


@click.command("log")
@click.argument("files", nargs=-1, type=existing_file)
@kept_checkpoints
@public_keys
@as_json
def verify_log(
    files: tuple[Path, ...], checkpoints: tuple[Path, ...], keys: tuple[VerifierKey, ...], as_json: bool
) -> None:
    """Verify that nobody changed the log, and that it is the one that had the checkpoints that were kept.

    Of the database that DATABASE_URL names, whether a service runs or not, or of FILES: exports as JSON Lines that are,
    one after the other, one log. Every event is held against its hash, every hash against the tree, and positions,
    times and versions against each other. Exit codes: 0, it is intact; 1, it was tampered with, and the first position
    that shows it is named; 2, it can't be read; 130 and 143, it was interrupted.
    """
    known = read_checkpoints(checkpoints, keys)
    heads = heads_of(known)
    lower_priority()
    began = monotonic()
    found = _of_files(files, heads) if files else _of_database(heads)
    seconds = round(monotonic() - began, 3)
    if isinstance(found, TamperedError):
        verdict = Verdict(False, Fault(found.position, found.reason), None, None, seconds)
    else:
        verdict = Verdict(True, None, found.size, found.root.hex(), seconds)
    if as_json:
        click.echo(msgspec.json.encode(verdict))
    else:
        _print(verdict, known, keys)
    raise click.exceptions.Exit(INTACT if verdict.intact else TAMPERED)


def _of_files(files: Sequence[Path], known: Sequence[TreeHead]) -> TreeHead | TamperedError:
    with _telling() as tell:
        try:
            return exported_log.verify(files, known, tell)
        except TamperedError as error:
            return error
        except UnreadableFileError as error:
            raise UnreadableError(str(error)) from None
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None


def _of_database(known: Sequence[TreeHead]) -> TreeHead | TamperedError:
    async def run(database: Database) -> TreeHead | TamperedError:
        with _telling() as tell:
            try:
                return await verify_database.verify(database, known, tell)
            except TamperedError as error:
                return error

    try:
        return with_database(run)
    except click.ClickException as error:
        raise UnreadableError(error.message) from error


@contextmanager
def _telling() -> Iterator[ReportProgress]:
    """Tell of progress whoever sits at a terminal, and nobody else: it is a matter of seconds."""
    if Console(stderr=True).is_terminal:
        with progress_reporter(through_log("verify")) as tell:
            yield tell
    else:
        yield lambda _: None


def _print(verdict: Verdict, known: Sequence[Checkpoint], keys: Sequence[VerifierKey]) -> None:
    if verdict.fault is not None:
        click.echo(f"The log was TAMPERED WITH. Position {verdict.fault.position:,}: {verdict.fault.reason}")
        return
    click.echo(f"The log is intact: {verdict.tree_size:,} events in {verdict.seconds:,.1f} s")
    click.echo(f"  {'root':<13}{verdict.root_hash}")
    for one in sorted(known, key=lambda checkpoint: checkpoint.size):
        click.echo(f"  {'checkpoint':<13}of {shown(one.origin)} at size {one.size:,} ({trust(keys)})")
    if not known:
        click.echo(f"  {'checkpoint':<13}none: a log that was made anew as a whole, or cut short, would look the same")
