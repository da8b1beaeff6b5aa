"""`itemledger verify log`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import click
from msgspec import Struct

from api.cli.exit_codes import CommandError
from api.cli.options import existing_file, json_option
from api.cli.progress import progress_reporter
from api.cli.runner import lower_priority, with_database
from api.cli.verify import common
from api.export import exported_log
from api.export.exported_log import UnreadableFileError
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import VerifierKey
from eventstore.database.database import Database
from eventstore.errors import TamperedError
from eventstore.merkle import verify_database
from eventstore.merkle.tree_head import TreeHead
from migrations import triggers


class Fault(Struct, frozen=True):
    """The first thing that is wrong."""

    position: int
    reason: str


class Verdict(Struct, frozen=True):
    """The result for a log."""

    intact: bool
    fault: Fault | None
    #: The number of events and the root of their tree, if the log is intact.
    tree_size: int | None
    root_hash: str | None
    seconds: float
    #: The number of events by type that this version does not know. Of their data only the JSON was checked.
    unknown_types: dict[str, int]
    #: What is wrong with the triggers that keep history from being changed. None in files.
    trigger_faults: list[str]


@click.command("log")
@click.argument("files", nargs=-1, type=existing_file)
@common.checkpoint_option
@common.public_key_option
@json_option
def verify_log(
    files: tuple[Path, ...], checkpoints: tuple[Path, ...], keys: tuple[VerifierKey, ...], as_json: bool
) -> None:
    """Verify that the log was not changed.

    Verifies the database that DATABASE_URL names, while the service runs or not; or FILES, jsonl exports that together,
    in this order, are one log. Checks every event against its hash, its data against its type, every hash against the
    tree, the order of positions, times and versions, and the tree against the checkpoints that you saved.

    Of a database it also checks the triggers that keep events from being changed.

    Exit codes: 0 intact, 1 tampered with (the first position that shows it is printed) or without its triggers, 2
    cannot be read, 130 and 143 interrupted.
    """
    saved = common.read_checkpoints(checkpoints, keys)
    heads = [TreeHead(checkpoint.size, checkpoint.root) for checkpoint in saved]
    lower_priority()
    began = monotonic()
    fault, size, root = None, None, None
    unknown, trigger_faults = Counter[str](), list[str]()
    try:
        head = _verify_files(files, heads, unknown) if files else _verify_database(heads, unknown, trigger_faults)
        size, root = head.size, head.root.hex()
    except TamperedError as error:
        fault = Fault(error.position, error.reason)
    seconds = round(monotonic() - began, 3)
    verdict = Verdict(fault is None, fault, size, root, seconds, dict(unknown), trigger_faults)
    passed = verdict.intact and not trigger_faults
    common.finish(verdict, _lines(verdict, saved, common.signature_note(keys)), passed=passed, as_json=as_json)


def _verify_files(files: Sequence[Path], heads: Sequence[TreeHead], unknown: Counter[str]) -> TreeHead:
    with progress_reporter(lambda _: "verify", only_on_terminal=True) as report:
        try:
            return exported_log.verify(files, heads, report, unknown)
        except UnreadableFileError as error:
            raise common.UnreadableError(str(error)) from None


def _verify_database(heads: Sequence[TreeHead], unknown: Counter[str], trigger_faults: list[str]) -> TreeHead:
    async def run(database: Database) -> TreeHead:
        trigger_faults.extend(await database.run_isolated(triggers.faults))
        with progress_reporter(lambda _: "verify", only_on_terminal=True) as report:
            return await verify_database.verify(database, heads, report, unknown)

    try:
        return with_database(run)
    except CommandError as error:
        if isinstance(error.__cause__, TamperedError):  # a verdict, not a failure
            raise error.__cause__ from None
        raise common.UnreadableError(error.message) from error


def _lines(verdict: Verdict, checkpoints: Sequence[Checkpoint], signatures: str) -> Iterator[str]:
    if verdict.trigger_faults:
        yield "The log is NOT PROTECTED: events can be changed. Find out why, then run `itemledger migrate`."
        for trigger_fault in verdict.trigger_faults:
            yield f"  {'trigger':<13}{trigger_fault}"
    if verdict.fault is not None:
        yield f"The log was TAMPERED WITH. Position {verdict.fault.position:,}: {verdict.fault.reason}"
        return
    yield f"The log is intact: {verdict.tree_size:,} events in {verdict.seconds:,.1f} s"
    yield f"  {'root':<13}{verdict.root_hash}"
    for type, count in verdict.unknown_types.items():
        yield f"  {'unknown type':<13}{common.printable(type)}: {count:,} events, of which only the JSON was checked"
    for checkpoint in sorted(checkpoints, key=lambda checkpoint: checkpoint.size):
        yield f"  {'checkpoint':<13}of {common.printable(checkpoint.origin)} at size {checkpoint.size:,} ({signatures})"
    if not checkpoints:
        yield "  checkpoint   none given: without a checkpoint, a truncated or fully rewritten log cannot be detected"
