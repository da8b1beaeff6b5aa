"""`itemledger verify proof`."""

import json
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from api.cli.verify.common import (
    INTACT,
    TAMPERED,
    UnreadableError,
    as_json,
    existing_file,
    public_keys,
    read_text,
    shown,
    trust,
)
from api.http.rfc3339 import format_time
from api.schemas.event import EventDocument, to_stored_event
from api.transparency.formats import checkpoint
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.inclusion_proof import FIRST_LINE, TlogProof
from api.transparency.formats.signed_note import NoteError, VerifierKey
from api.transparency.schemas import InclusionProof
from eventstore.codec import LEAF
from eventstore.errors import ProofError
from eventstore.log.history import leaf
from eventstore.merkle.hashing import leaf_hash
from eventstore.merkle.proofs import root_of_inclusion


class Verdict(Struct, frozen=True):
    """What a proof proves."""

    proven: bool
    #: Why it proves nothing.
    reason: str | None
    origin: str
    tree_size: int
    signature_verified: bool
    #: The event, member by member as the leaf has it.
    event: dict[str, Any]


@click.command("proof")
@click.argument("file", type=existing_file)
@click.option(
    "--event", "event_file", type=existing_file, metavar="FILE", help="The event that it is to be of, as JSON."
)
@public_keys
@as_json
def verify_proof(file: Path, event_file: Path | None, keys: tuple[VerifierKey, ...], as_json: bool) -> None:
    """Verify that an event is in the log, by FILE: what GET /log/proof gives, as JSON or as text.

    With --event it must be the very event that GET /events gave, or a line of an export. Neither a database nor a
    service is asked. Exit codes: 0, it is proven; 1, it is not; 2, FILE is no proof, or not signed by --public-key.
    """
    proof = _read_proof(file)
    claimed = leaf(to_stored_event(_read_event(event_file))) if event_file is not None else proof.extra
    if claimed is None:
        raise UnreadableError(f"{file} does not have the event's text: give --event")
    head = _read_head(file, proof, keys)
    reason = _obstacle(proof, claimed, head)
    verdict = Verdict(reason is None, reason, head.origin, head.size, bool(keys), _said(file, claimed))
    if as_json:
        click.echo(msgspec.json.encode(verdict))
    else:
        _print(verdict, trust(keys))
    raise click.exceptions.Exit(INTACT if verdict.proven else TAMPERED)


def _obstacle(proof: TlogProof, claimed: bytes, head: Checkpoint) -> str | None:
    """Give the reason why the event is not proven to be in the log, None where it is."""
    if proof.extra is not None and claimed != proof.extra:
        return "it is of another event, or of this one with something changed"
    if not claimed.startswith(b"[%d," % (proof.index + 1)):
        return "the event is of another position than the proof"
    try:
        root = root_of_inclusion(proof.index, head.size, leaf_hash(claimed), proof.hashes)
    except ProofError as error:
        return error.reason
    return None if root == head.root else "its hashes do not lead to the root that the checkpoint has"


def _read_proof(file: Path) -> TlogProof:
    """Read either form of a proof. Raises UnreadableError."""
    text = read_text(file)
    try:
        if text.startswith(FIRST_LINE):
            return TlogProof.parse(text)
        return _essence(msgspec.json.decode(text, type=InclusionProof))
    except (NoteError, msgspec.DecodeError) as error:
        raise UnreadableError(f"{file} is not a proof: {error}") from None


def _essence(proof: InclusionProof) -> TlogProof:
    """Give what proves. Raises NoteError where the rest, which repeats it for readers, says something else."""
    text, head = proof.leaf.encode(), checkpoint.read(proof.checkpoint)
    repeated = (proof.position, proof.leaf_hash, proof.tree_size, proof.root_hash)
    if repeated != (proof.leaf_index + 1, leaf_hash(text).hex(), head.size, head.root.hex()):
        raise NoteError("its members contradict each other")
    return TlogProof(proof.leaf_index, tuple(map(bytes.fromhex, proof.hashes)), proof.checkpoint, text)


def _read_event(file: Path) -> EventDocument:
    try:
        return msgspec.json.decode(read_text(file), type=EventDocument)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"{file} is not an event: {error}") from None


def _read_head(file: Path, proof: TlogProof, keys: tuple[VerifierKey, ...]) -> Checkpoint:
    try:
        return checkpoint.read(proof.checkpoint, keys)
    except NoteError as error:
        raise UnreadableError(f"{file}, its checkpoint: {error}") from None


def _said(file: Path, text: bytes) -> dict[str, Any]:
    """Give what a leaf says, by the names of its parts. Raises UnreadableError."""
    try:
        event = dict(zip(LEAF, msgspec.json.decode(text, type=list[Any]), strict=True))
        return {**event, "recorded_at": format_time(event["recorded_at"]), "data": msgspec.json.decode(event["data"])}
    except (msgspec.DecodeError, ValueError, TypeError, OverflowError):
        raise UnreadableError(f"{file} does not have the text of an event of this log") from None


def _print(verdict: Verdict, trusted: str) -> None:
    event = f"event {verdict.event['position']}"
    log = f"the log {shown(verdict.origin)} at size {verdict.tree_size:,} ({trusted})"
    if verdict.proven:
        click.echo(f"Proven: {event} is in {log}")
    else:
        click.echo(f"NOT PROVEN: {event} in {log}: {verdict.reason}")
    for name, value in verdict.event.items():
        click.echo(f"  {name:<16}{shown(value) if isinstance(value, str) else json.dumps(value)}")
