"""Checkpoints (c2sp.org/tlog-checkpoint): which log, how long it is, and the root of its tree; signed as a note."""

import re
from collections.abc import Sequence

from msgspec import Struct

from api.transparency.formats.signed_note import Note, NoteError, SignerKey, VerifierKey, decode, encode, sign
from eventstore.merkle.hashing import HASH_SIZE

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Checkpoint(Struct, frozen=True):
    """What a log commits to: its first `size` events, by the root of their tree (RFC 9162), 32 bytes."""

    #: Which log: a name that no other has.
    origin: str
    size: int
    root: bytes

    def write(self, keys: Sequence[SignerKey]) -> str:
        """Give it as a note, signed by `keys`, or its text alone where there are none."""
        return sign(f"{self.origin}\n{self.size}\n{encode(self.root)}\n", keys)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a note as a checkpoint. Raises NoteError. Extension lines are not heeded."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not all(lines) or not _SIZE.fullmatch(lines[1]):
            raise NoteError("it is not a checkpoint: an origin, a size and a root, each on a line")
        return cls(lines[0], int(lines[1]), decode(lines[2], HASH_SIZE))


def read(written: str, keys: Sequence[VerifierKey] = ()) -> Checkpoint:
    """Read a checkpoint that one of `keys` must have signed, where there are any. Raises NoteError.

    A key is known by the origin of its log: one of another name is not asked.
    """
    note = Note.parse(written)
    checkpoint = Checkpoint.parse(note.text)
    if keys:
        of_origin = [key for key in keys if key.name == checkpoint.origin]
        if not of_origin:
            raise NoteError(f"it is of {checkpoint.origin!r}, and not of {' or '.join(key.name for key in keys)}")
        note.verify(of_origin)
    return checkpoint
