"""Proofs that an event is in a log (c2sp.org/tlog-proof): texts that need nothing beside them but its public key."""

import re
from collections.abc import Sequence

from msgspec import Struct

from api.transparency.formats.signed_note import NoteError, decode, encode
from eventstore.merkle.hashing import HASH_SIZE

FIRST_LINE = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class TlogProof(Struct, frozen=True):
    """A proof, taken apart."""

    #: The leaf's place in the tree, from 0.
    index: int
    #: From the leaf's sibling up.
    hashes: tuple[bytes, ...]
    #: The checkpoint, word for word.
    checkpoint: str
    #: What goes with it and proves nothing by itself: of ours the leaf, which the hashes then prove.
    extra: bytes | None = None

    def write(self) -> str:
        """Give the text of a `.tlog-proof` file."""
        extra = [] if self.extra is None else [f"extra {encode(self.extra)}"]
        hashes: Sequence[str] = [encode(hashed) for hashed in self.hashes]
        return "\n".join([FIRST_LINE, *extra, f"index {self.index}", *hashes, "", self.checkpoint])

    @classmethod
    def parse(cls, text: str) -> "TlogProof":
        """Read a `.tlog-proof` file. Raises NoteError."""
        head, _, checkpoint = text.partition("\n\n")
        first, *lines = head.split("\n")
        extra = decode(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
        index = _INDEX.fullmatch(lines[0]) if lines else None
        if first != FIRST_LINE or index is None:
            raise NoteError(f"it is not a proof: {FIRST_LINE} and an index come first")
        return cls(int(index[1]), tuple(decode(line, HASH_SIZE) for line in lines[1:]), checkpoint, extra)
