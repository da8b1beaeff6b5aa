"""The JSON of checkpoints and proofs. Hashes are in hexadecimal. Each proof carries all it takes to verify it."""

from typing import Annotated

from msgspec import Meta, Struct

_Int = Annotated[int, Meta(ge=0, le=2**63 - 1, extra_json_schema={"format": "int64"})]
_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Note = Annotated[str, Meta(description="The checkpoint as a signed note (c2sp.org/tlog-checkpoint), verbatim")]
_Hashes = Annotated[list[_Hash], Meta(max_length=64)]
_LEAF = (
    "The exact text that is hashed: the JSON array [position, item_id, version, type, recorded_at, actor, credential, "
    "command_id, ordinal, correlation_id, causation_id, fingerprint, data], with the time in microseconds since the "
    "epoch, the fingerprint in hexadecimal and `data` as a string of JSON"
)


class SignedHead(Struct, frozen=True):
    """A checkpoint: what the log commits to."""

    origin: Annotated[str, Meta(description="The log's name")]
    tree_size: Annotated[_Int, Meta(description="The number of events, which is the position of the last one")]
    root_hash: Annotated[_Hash, Meta(description="The root of their Merkle tree (RFC 9162)")]
    checkpoint: _Note


class InclusionProof(Struct, frozen=True):
    """A proof that an event is in the log of a checkpoint."""

    position: Annotated[_Int, Meta(description="The event's position")]
    leaf: Annotated[str, Meta(description=_LEAF)]
    leaf_hash: Annotated[_Hash, Meta(description="SHA-256 of a byte 00 and `leaf` in UTF-8")]
    leaf_index: Annotated[_Int, Meta(description="The leaf's index in the tree: `position` - 1")]
    tree_size: Annotated[_Int, Meta(description="The number of leaves of the tree")]
    root_hash: Annotated[_Hash, Meta(description="The root that `hashes` lead to, the same as in `checkpoint`")]
    hashes: Annotated[_Hashes, Meta(description="The inclusion proof (RFC 9162, section 2.1.3), the sibling first")]
    checkpoint: _Note


class ConsistencyProof(Struct, frozen=True):
    """A proof that the log at a later size begins with the log at an earlier size."""

    old_size: Annotated[_Int, Meta(description="The earlier number of events")]
    new_size: Annotated[_Int, Meta(description="The later number of events")]
    old_root: Annotated[_Hash, Meta(description="The root at the earlier size. Compare it with your checkpoint")]
    new_root: Annotated[_Hash, Meta(description="The root at the later size, the same as in `checkpoint`")]
    hashes: Annotated[_Hashes, Meta(description="The consistency proof (RFC 9162, section 2.1.4)")]
    checkpoint: _Note
