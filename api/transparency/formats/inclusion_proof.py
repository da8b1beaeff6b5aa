"""Inclusion proofs (c2sp.org/tlog-proof): texts that can be verified with only the log's public key."""

import re

from msgspec import Struct

from api.transparency.formats.signed_note import NoteError, decode, encode
from eventstore.merkle.hashing import HASH_SIZE

FIRST_LINE = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class TlogProof(Struct, frozen=True):
    """A proof, parsed."""

    #: The leaf's index in the tree, from 0.
    index: int
    #: From the leaf's sibling upwards.
    hashes: tuple[bytes, ...]
    #: The checkpoint, verbatim.
    checkpoint: str
    #: Data that is not part of the proof. We put the leaf there, which the hashes prove.
    extra: bytes | None = None

    def write(self) -> str:
        """Return the text of a `.tlog-proof` file."""
        extra = [] if self.extra is None else [f"extra {encode(self.extra)}"]
        return "\n".join([FIRST_LINE, *extra, f"index {self.index}", *map(encode, self.hashes), "", self.checkpoint])

    @classmethod
    def parse(cls, text: str) -> "TlogProof":
        """Parse a `.tlog-proof` file. Raises NoteError."""
        head, _, checkpoint = text.partition("\n\n")
        first, *lines = head.split("\n")
        extra = decode(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
        index = _INDEX.fullmatch(lines[0]) if lines else None
        if first != FIRST_LINE or index is None:
            raise NoteError(f"it does not begin with {FIRST_LINE} and an index")
        return cls(int(index[1]), tuple(decode(line, HASH_SIZE) for line in lines[1:]), checkpoint, extra)
