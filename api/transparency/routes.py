"""The routes `/log`: checkpoints, inclusion proofs and consistency proofs."""

from functools import partial
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy import Connection

from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.routing import Answer, Route
from api.http.content_negotiation import preferred
from api.http.etags import SIGNED
from api.http.path_params import POSITION, read_number
from api.http.problems import EVENT_NOT_FOUND, LOG_CHANGED, POSITION_NOT_REACHED, STORAGE_FULL, Problem
from api.http.query_params import StateQuery, wrong
from api.http.responses import Headers, HttpResponse, json_response
from api.schemas.examples import load
from api.transparency.formats.inclusion_proof import TlogProof
from api.transparency.schemas import ConsistencyProof, InclusionProof, SignedHead
from eventstore.errors import InconsistentLogError
from eventstore.log import history
from eventstore.log.head import END
from eventstore.log.history import Filter
from eventstore.merkle.hashing import leaf_hash
from eventstore.merkle.proofs import root_of_inclusion
from eventstore.merkle.tree import Tree
from eventstore.merkle.tree_head import TreeHead

_JSON, _TEXT = "application/json", "text/plain"
_VARY = (b"vary", b"accept")

_INT64 = {"format": "int64"}
_Size = Annotated[int, Meta(ge=0, le=END, extra_json_schema=_INT64)]
_ProofSize = Annotated[int, Meta(ge=1, le=END, extra_json_schema=_INT64)] | UnsetType
#: Of one log of two events, so that each proof leads to the checkpoint; its key was generated for them.
_EXAMPLES = load("transparency")


class ProofQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The tree that a proof leads to."""

    tree_size: Annotated[
        _ProofSize,
        Meta(description="The size of the log to prove it for. Defaults to its size in the last second", examples=[1]),
    ] = UNSET


class ConsistencyQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"old": "from", "new": "to"}):
    """Two sizes of the log."""

    old: Annotated[_Size, Meta(description="The earlier size: the size of a checkpoint that you kept", examples=[1])]
    new: Annotated[
        _Size | UnsetType,
        Meta(description="The later size. Defaults to the log's size within the last second", examples=[1]),
    ] = UNSET


async def get_checkpoint() -> HttpResponse:
    """Get a checkpoint of the log.

    Returns the number of events and the root of their Merkle tree as a C2SP tlog-checkpoint, signed if the service
    has a signing key. Keep it: any later change of these events can be detected with it. The response is text unless
    `Accept` prefers JSON. Events that another process committed within the last second may be missing. Use
    `min_position` to include them.
    """
    request = current.get()
    await request.wait_for_position(request.query.min_position)
    head = await _latest_head(request, request.services.position)
    note = request.services.checkpoint_signer.checkpoint(head)
    if preferred(request.headers.get(b"accept"), (_TEXT, _JSON)) == _TEXT:
        return _text(note)
    origin = request.services.checkpoint_signer.origin
    return json_response(200, SignedHead(origin, head.size, head.root.hex(), note), _VARY)


async def get_inclusion_proof(position: str) -> HttpResponse:
    """Prove that an event is in the log.

    Returns the exact text that was hashed, the hashes that lead from it to the root of the tree, and the checkpoint
    with this root: all it takes to verify the event without this service. The response is JSON unless `Accept`
    prefers `text/plain`: then it is a C2SP tlog-proof with the hashed text as its `extra`. With `tree_size` the
    response never changes, except for the signatures, which are made with the current keys.
    """
    request = current.get()
    number, size = read_number(position), request.query.tree_size
    if not number:
        raise Problem(EVENT_NOT_FOUND)
    index = number - 1
    latest = await _latest_head(request, max(number, request.services.position) if size is UNSET else number)
    if index >= latest.size:
        raise Problem(EVENT_NOT_FOUND, f"The log ends at position {latest.size}")
    if size is not UNSET and index >= size:
        raise wrong("tree_size", f"The first {size} events do not have position {position}")
    head = latest if size is UNSET else await _head_of_size(request, "tree_size", size)
    leaf, hashes = await request.services.database.read_transaction(partial(_prove, index=index, head=head))
    note = request.services.checkpoint_signer.checkpoint(head)
    cache_control = () if size is UNSET else (SIGNED,)
    if preferred(request.headers.get(b"accept"), (_JSON, _TEXT)) == _TEXT:
        return _text(TlogProof(index, tuple(hashes), note, leaf).write(), cache_control)
    proof = InclusionProof(
        position=index + 1,
        leaf=leaf.decode(),
        leaf_hash=leaf_hash(leaf).hex(),
        leaf_index=index,
        tree_size=head.size,
        root_hash=head.root.hex(),
        hashes=[hashed.hex() for hashed in hashes],
        checkpoint=note,
    )
    return json_response(200, proof, _VARY, *cache_control)


async def get_consistency_proof() -> HttpResponse:
    """Prove that the log only grew.

    Returns the hashes that prove that the log of size `to` begins with the log of size `from`: nothing in it was
    changed, removed or inserted. Compare `old_root` with the checkpoint of that size that you kept. With both sizes
    given the response never changes, except for the signatures, which are made with the current keys.
    """
    request = current.get()
    query: ConsistencyQuery = request.query
    if query.new is not UNSET and query.old > query.new:
        raise wrong("to", "`to` must not be below `from`: the log only grows")
    if query.new is UNSET:
        new = await _latest_head(request, max(query.old, request.services.position))
    else:
        new = await _head_of_size(request, "to", query.new)
    if query.old > new.size:
        raise wrong("from", f"The log has {new.size} events")
    old = await request.services.checkpoint_signer.earlier_head(query.old, new)
    hashes = await request.services.database.read_transaction(
        lambda connection: Tree(connection).consistency(old.size, new.size)
    )
    proof = ConsistencyProof(
        old_size=old.size,
        new_size=new.size,
        old_root=old.root.hex(),
        new_root=new.root.hex(),
        hashes=[hashed.hex() for hashed in hashes],
        checkpoint=request.services.checkpoint_signer.checkpoint(new),
    )
    return json_response(200, proof, *(() if query.new is UNSET else (SIGNED,)))


def _prove(connection: Connection, index: int, head: TreeHead) -> tuple[bytes, list[bytes]]:
    """Return the leaf at `index` and the hashes from it to the root of `head`. Raises InconsistentLogError."""
    hashes = Tree(connection).inclusion(index, head.size)
    events = list(history.read(connection, Filter(after=index, before=index + 2), 1))
    leaf = history.leaf(events[0]) if events else b""
    if root_of_inclusion(index, head.size, leaf_hash(leaf), hashes) != head.root:
        raise InconsistentLogError(f"event {index + 1:,} is not the one that was recorded")
    return leaf, hashes


async def _latest_head(request: RequestContext, at_least: int) -> TreeHead:
    """Return the latest head: at most a second old, with `at_least` events if the log has them.

    A proof of a given size asks for no more events than that: while others write, each would otherwise read the head
    again, which is a commit. A head without a given size is never older than what this process has already answered.
    """
    head = await request.services.checkpoint_signer.latest_head(at_least)
    request.set_log_position(head.size)
    return head


async def _head_of_size(request: RequestContext, parameter: str, size: int) -> TreeHead:
    """Return the head of `size`. Raises Problem (400), which names the parameter, if the log is shorter."""
    latest = await _latest_head(request, size)
    if size > latest.size:
        raise wrong(parameter, f"The log has {latest.size} events")
    request.set_log_position(size)
    return await request.services.checkpoint_signer.earlier_head(size, latest)


def _text(text: str, headers: Headers = ()) -> HttpResponse:
    return HttpResponse(200, text.encode(), ((b"content-type", b"text/plain; charset=utf-8"), _VARY, *headers))


_CHECKPOINT = (
    Answer(200, "The checkpoint", SignedHead, example=_EXAMPLES["signed_head"]),
    Answer(200, "The checkpoint", str, example=_EXAMPLES["checkpoint"], media_type=_TEXT),
)
_INCLUSION = (
    Answer(200, "The proof", InclusionProof, example=_EXAMPLES["inclusion_proof"]),
    Answer(200, "The proof", str, example=_EXAMPLES["tlog_proof"], media_type=_TEXT),
)
_CONSISTENCY = (Answer(200, "The proof", ConsistencyProof, example=_EXAMPLES["consistency_proof"]),)

_PROBLEMS = (STORAGE_FULL, LOG_CHANGED)
_READ_PROBLEMS = (POSITION_NOT_REACHED, *_PROBLEMS)
_PROOF_PROBLEMS = (EVENT_NOT_FOUND, *_PROBLEMS)

_route = partial(Route, "GET", tag="proofs", scope=Scope.EVENTS_READ)
_proof = partial(_route, path_schemas=POSITION, query=ProofQuery)

ROUTES = [
    _route("/log/checkpoint", get_checkpoint, query=StateQuery, answers=_CHECKPOINT, problems=_READ_PROBLEMS),
    _proof("/log/proof/{position}", get_inclusion_proof, answers=_INCLUSION, problems=_PROOF_PROBLEMS),
    _route("/log/consistency", get_consistency_proof, query=ConsistencyQuery, answers=_CONSISTENCY, problems=_PROBLEMS),
]
