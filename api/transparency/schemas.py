"""Checkpoints and proofs as JSON: all hashes in hexadecimal, and with each proof what it takes to check it."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from api.transparency.formats.inclusion_proof import TlogProof

_Int = Annotated[int, Meta(ge=0, le=2**63 - 1, extra_json_schema={"format": "int64"})]
_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Note = Annotated[str, Meta(description="The checkpoint as a signed note (c2sp.org/tlog-checkpoint), word for word")]
_Hashes = Annotated[list[_Hash], Meta(max_length=64)]


class SignedHead(Struct, frozen=True):
    """A checkpoint: what the log commits to."""

    origin: Annotated[str, Meta(description="The log's name")]
    tree_size: Annotated[_Int, Meta(description="The number of events, which is the last one's position")]
    root_hash: Annotated[_Hash, Meta(description="The root of their Merkle tree (RFC 9162)")]
    checkpoint: _Note


class InclusionProof(Struct, frozen=True):
    """What proves that an event is in the log that has a checkpoint."""

    position: Annotated[_Int, Meta(description="The event's")]
    leaf: Annotated[
        str,
        Meta(
            description="The very text that is hashed: the JSON array [position, item_id, version, type, recorded_at, "
            "actor, command_id, ordinal, correlation_id, causation_id, data], the time in microseconds since the "
            "epoch, `data` as a string of JSON"
        ),
    ]
    leaf_hash: Annotated[_Hash, Meta(description="SHA-256 of a byte 00 and `leaf` in UTF-8")]
    leaf_index: Annotated[_Int, Meta(description="The leaf's place in the tree: `position` - 1")]
    tree_size: Annotated[_Int, Meta(description="The number of the tree's leaves")]
    root_hash: Annotated[_Hash, Meta(description="The tree's root, to which `hashes` lead, and which `checkpoint` has")]
    hashes: Annotated[_Hashes, Meta(description="The inclusion proof (RFC 9162, section 2.1.3), the sibling's first")]
    checkpoint: _Note


class ConsistencyProof(Struct, frozen=True):
    """What proves that the log, as it was at one size, is the beginning of what it was at a later one."""

    old_size: Annotated[_Int, Meta(description="The number of events then")]
    new_size: Annotated[_Int, Meta(description="The number of events later")]
    old_root: Annotated[_Hash, Meta(description="The tree's root then: compare it with the checkpoint that you have")]
    new_root: Annotated[_Hash, Meta(description="The tree's root later, which `checkpoint` has")]
    hashes: Annotated[_Hashes, Meta(description="The consistency proof (RFC 9162, section 2.1.4)")]
    checkpoint: _Note


#: Of one log of two events, so that each leads to the others; its key was made for this.
NOTE_EXAMPLE = (
    "ledger.example.com/log\n2\nRNbVAiNrmZ1dwC6OZmI7WxLykZzMsDTs2ZnHsrItNfA=\n\n— ledger.example.com/log "
    "dwb0aXT3peSWpu+w2V/3SRMjzARIe90X3kwP1TQJ7gR1WqW3Rbg3Z3rSYebVweuJCXaPfCOsHNc2NGVLoNRZwuYr+QE=\n"
)
_ROOT = "44d6d502236b999d5dc02e8e66623b5b12f2919cccb034ecd999c7b2b22d35f0"
_LEAF = (
    '[1,1,1,"item.created.v1",1795467436250000,"anonymous","0193f3c1a2b4c5d6e7f800000001",0,'
    r'"1a20a323001d0060f3b4400000002",null,"{\"name\":\"Fountain pen\",\"price\":\"24.5\",\"in_stock\":true}"]'
)
_LEAF_HASH = "95ae94f7b4097ebdc63b753380c1d9b3bebe705917b9a9bc3e8daf5d80a52b51"
_SECOND = "3c7e9bc930dc93f01fa69985ef242d9f9e861f3c5355aa24ce5ef4b4b8a70ccb"
HEAD_EXAMPLE = msgspec.to_builtins(SignedHead("ledger.example.com/log", 2, _ROOT, NOTE_EXAMPLE))
INCLUSION_EXAMPLE = msgspec.to_builtins(InclusionProof(1, _LEAF, _LEAF_HASH, 0, 2, _ROOT, [_SECOND], NOTE_EXAMPLE))
CONSISTENCY_EXAMPLE = msgspec.to_builtins(ConsistencyProof(1, 2, _LEAF_HASH, _ROOT, [_SECOND], NOTE_EXAMPLE))
TLOG_EXAMPLE = TlogProof(0, (bytes.fromhex(_SECOND),), NOTE_EXAMPLE, _LEAF.encode()).write()
