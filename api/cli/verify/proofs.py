"""`itemledger verify proof` and `itemledger verify consistency`: neither needs a database or a service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from api.cli.options import existing_file, json_option
from api.cli.verify import common
from api.cli.verify.common import UnreadableError, printable
from api.http.rfc3339 import format_time
from api.schemas.event import EventDocument, to_stored_event
from api.transparency.formats import checkpoint
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.inclusion_proof import FIRST_LINE, TlogProof
from api.transparency.formats.signed_note import NoteError, VerifierKey
from api.transparency.schemas import ConsistencyProof, InclusionProof
from eventstore.codec import LEAF
from eventstore.errors import ProofError
from eventstore.log.history import leaf
from eventstore.merkle import proofs
from eventstore.merkle.hashing import leaf_hash

_EVENT_HELP = "The event that FILE must be the proof of, as JSON.  [default: the event in FILE]"


class InclusionVerdict(Struct, frozen=True):
    """Whether an event is in a log. `reason` says why the proof fails."""

    proven: bool
    reason: str | None
    origin: str
    tree_size: int
    signature_verified: bool
    #: The event, member by member as in the leaf.
    event: dict[str, Any]


class ConsistencyVerdict(Struct, frozen=True):
    """Whether a log only grew. `reason` says why the proof fails."""

    consistent: bool
    reason: str | None
    origin: str
    old_size: int
    new_size: int
    signatures_verified: bool


@click.command("proof")
@click.argument("file", type=existing_file)
@click.option("--event", "event_file", type=existing_file, metavar="FILE", help=_EVENT_HELP)
@common.public_key_option
@json_option
def verify_proof(file: Path, event_file: Path | None, keys: tuple[VerifierKey, ...], as_json: bool) -> None:
    """Verify the proof that an event is in the log.

    FILE is the response of GET /log/proof, as JSON or as text. The event of --event is as GET /events returns it, or a
    line of an export. Needs neither a database nor a service.

    Exit codes: 0 proven, 1 the proof fails, 2 FILE is not a valid proof, or is not signed by --public-key.
    """
    proof = _read_proof(file)
    if event_file is not None:
        leaf_text = leaf(to_stored_event(common.read_json(event_file, EventDocument, "an event")))
    elif proof.extra is not None:
        leaf_text = proof.extra
    else:
        raise UnreadableError(f"{file} does not contain the event. Pass the event with --event.")
    try:
        head = checkpoint.read(proof.checkpoint, keys)
    except NoteError as error:
        raise UnreadableError(f"{file}, its checkpoint: {error}") from None
    reason = _failure(proof, leaf_text, head)
    event = _event_members(file, leaf_text)
    verdict = InclusionVerdict(reason is None, reason, head.origin, head.size, bool(keys), event)
    common.finish(verdict, _lines(verdict, common.signature_note(keys)), passed=verdict.proven, as_json=as_json)


def _failure(proof: TlogProof, leaf_text: bytes, head: Checkpoint) -> str | None:
    """Return the reason why the proof fails, or None."""
    if proof.extra is not None and leaf_text != proof.extra:
        return "it is the proof of a different event, or the event was changed"
    if not leaf_text.startswith(b"[%d," % (proof.index + 1)):
        return "the event has a different position than the proof"
    try:
        root = proofs.root_of_inclusion(proof.index, head.size, leaf_hash(leaf_text), proof.hashes)
    except ProofError as error:
        return error.reason
    return None if root == head.root else "its hashes do not lead to the checkpoint's root"


def _read_proof(file: Path) -> TlogProof:
    """Read a proof of either form. Raises UnreadableError, also where the members of a JSON proof disagree."""
    text = common.read_text(file)
    try:
        if text.startswith(FIRST_LINE):
            return TlogProof.parse(text)
        proof = msgspec.json.decode(text, type=InclusionProof)
        leaf_text, head = proof.leaf.encode(), checkpoint.read(proof.checkpoint)
        repeated = (proof.position, proof.leaf_hash, proof.tree_size, proof.root_hash)
        if repeated != (proof.leaf_index + 1, leaf_hash(leaf_text).hex(), head.size, head.root.hex()):
            raise NoteError("its members contradict each other")
        return TlogProof(proof.leaf_index, tuple(map(bytes.fromhex, proof.hashes)), proof.checkpoint, leaf_text)
    except (NoteError, msgspec.DecodeError) as error:
        raise UnreadableError(f"{file} is not a valid proof: {error}") from None


def _event_members(file: Path, leaf_text: bytes) -> dict[str, Any]:
    """Return the members of a leaf by name. Raises UnreadableError."""
    try:
        event = dict(zip(LEAF, msgspec.json.decode(leaf_text, type=list[Any]), strict=True))
        return {**event, "recorded_at": format_time(event["recorded_at"]), "data": msgspec.json.decode(event["data"])}
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError):
        raise UnreadableError(f"{file} does not contain a valid event of this log") from None


def _lines(verdict: InclusionVerdict, signature: str) -> Iterator[str]:
    event = f"event {verdict.event['position']}"
    log = f"the log {printable(verdict.origin)} at size {verdict.tree_size:,} ({signature})"
    yield f"Proven: {event} is in {log}" if verdict.proven else f"NOT PROVEN: {event} in {log}: {verdict.reason}"
    for name, value in verdict.event.items():
        yield f"  {name:<16}{printable(value) if isinstance(value, str) else json.dumps(value)}"


@click.command("consistency")
@click.argument("old", type=existing_file)
@click.argument("new", type=existing_file)
@click.argument("proof", type=existing_file)
@common.public_key_option
@json_option
def verify_consistency(old: Path, new: Path, proof: Path, keys: tuple[VerifierKey, ...], as_json: bool) -> None:
    """Verify that the log only grew.

    OLD and NEW are files with two of its checkpoints, PROOF is the response of GET /log/consistency. Needs neither a
    database nor a service.

    Exit codes: 0 the log only grew, 1 the proof fails, 2 a file cannot be read, does not belong to the others, or is
    not signed by --public-key.
    """
    before, after = common.read_checkpoint(old, keys), common.read_checkpoint(new, keys)
    origin = printable(before.origin)
    if before.origin != after.origin:
        raise UnreadableError(f"{old} and {new} are of different logs: {origin} and {printable(after.origin)}")
    document = common.read_json(proof, ConsistencyProof, "a consistency proof")
    sizes = (document.old_size, document.new_size)
    if sizes != (before.size, after.size):
        raise UnreadableError(f"{proof} is of sizes {sizes}, the checkpoints are of ({before.size}, {after.size})")
    reason = None
    try:
        hashes = [bytes.fromhex(text) for text in document.hashes]
        proofs.verify_consistency(before.size, after.size, before.root, after.root, hashes)
    except ProofError as error:
        reason = error.reason
    verdict = ConsistencyVerdict(reason is None, reason, before.origin, *sizes, bool(keys))
    line = f"Consistent: the log {origin} at size {after.size:,} begins with the log at size {before.size:,}"
    line = f"NOT CONSISTENT: {reason}" if reason else f"{line} ({common.signature_note(keys)})"
    common.finish(verdict, [line], passed=verdict.consistent, as_json=as_json)
