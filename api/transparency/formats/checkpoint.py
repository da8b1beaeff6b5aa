"""Checkpoints (c2sp.org/tlog-checkpoint): a log's origin, its size and the root of its tree, as a signed note."""

import re
from collections.abc import Sequence

from msgspec import Struct

from api.transparency.formats.signed_note import Note, NoteError, SignerKey, VerifierKey, decode, encode, sign
from eventstore.merkle.hashing import HASH_SIZE

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Checkpoint(Struct, frozen=True):
    """What a log commits to: its first `size` events, by the root of their tree (RFC 9162)."""

    #: The unique name of the log.
    origin: str
    size: int
    #: 32 bytes.
    root: bytes

    def write(self, keys: Sequence[SignerKey]) -> str:
        """Return it as a note signed by `keys`. Without keys, return its text alone."""
        return sign(f"{self.origin}\n{self.size}\n{encode(self.root)}\n", keys)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Parse the text of a note as a checkpoint. Ignores extension lines. Raises NoteError."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not all(lines) or not _SIZE.fullmatch(lines[1]):
            raise NoteError("it is not a valid checkpoint: it needs an origin, a size and a root, each on a line")
        return cls(lines[0], int(lines[1]), decode(lines[2], HASH_SIZE))


def read(written: str, keys: Sequence[VerifierKey] = ()) -> Checkpoint:
    """Parse a checkpoint, which one of `keys`, if any, named like its origin, must have signed. Raises NoteError."""
    note = Note.parse(written)
    checkpoint = Checkpoint.parse(note.text)
    if keys:
        of_origin = [key for key in keys if key.name == checkpoint.origin]
        if not of_origin:
            raise NoteError(
                f"the checkpoint is of {checkpoint.origin!r}, not of {' or '.join(key.name for key in keys)}"
            )
        note.verify(of_origin)
    return checkpoint
