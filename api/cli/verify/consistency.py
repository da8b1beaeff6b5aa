"""`itemledger verify consistency`."""

from pathlib import Path

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
    read_checkpoint,
    read_text,
    shown,
    trust,
)
from api.transparency.formats.checkpoint import Checkpoint
from api.transparency.formats.signed_note import VerifierKey
from api.transparency.schemas import ConsistencyProof
from eventstore.errors import ProofError
from eventstore.merkle.proofs import verify_consistency as check


class Verdict(Struct, frozen=True):
    """Whether a log only grew."""

    consistent: bool
    #: Why it is not proven.
    reason: str | None
    origin: str
    old_size: int
    new_size: int
    signatures_verified: bool


@click.command("consistency")
@click.argument("old", type=existing_file)
@click.argument("new", type=existing_file)
@click.argument("proof", type=existing_file)
@public_keys
@as_json
def verify_consistency(old: Path, new: Path, proof: Path, keys: tuple[VerifierKey, ...], as_json: bool) -> None:
    """Verify that the log only grew from OLD to NEW, two checkpoints of it, by PROOF: what GET /log/consistency gives.

    Neither a database nor a service is asked. Exit codes: 0, it only grew; 1, that is not proven; 2, a file can't be
    read, does not belong to the others, or is not signed by --public-key.
    """
    before, after = read_checkpoint(old, keys), read_checkpoint(new, keys)
    if before.origin != after.origin:
        raise UnreadableError(f"{old} is of {shown(before.origin)}, and {new} of {shown(after.origin)}")
    reason = _obstacle(before, after, _read(proof, before, after))
    verdict = Verdict(reason is None, reason, before.origin, before.size, after.size, bool(keys))
    if as_json:
        click.echo(msgspec.json.encode(verdict))
    elif reason is None:
        click.echo(
            f"Consistent: the log {shown(before.origin)} at size {after.size:,} begins with what it was "
            f"at size {before.size:,} ({trust(keys)})"
        )
    else:
        click.echo(f"NOT CONSISTENT: {reason}")
    raise click.exceptions.Exit(INTACT if verdict.consistent else TAMPERED)


def _obstacle(before: Checkpoint, after: Checkpoint, hashes: list[bytes]) -> str | None:
    """Give the reason why it is not proven that the log only grew, None where it is."""
    try:
        check(before.size, after.size, before.root, after.root, hashes)
    except ProofError as error:
        return error.reason
    return None


def _read(path: Path, before: Checkpoint, after: Checkpoint) -> list[bytes]:
    """Give the hashes of a proof between two checkpoints. Raises UnreadableError."""
    try:
        proof = msgspec.json.decode(read_text(path), type=ConsistencyProof)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"{path} is not a proof: {error}") from None
    if (proof.old_size, proof.new_size) != (before.size, after.size):
        raise UnreadableError(f"{path} is of the sizes {proof.old_size:,} and {proof.new_size:,}")
    return [bytes.fromhex(hashed) for hashed in proof.hashes]
