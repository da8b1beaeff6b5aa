"""The routes by which the log proves what it says: checkpoints, and proofs that lead to them."""

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
from api.transparency.formats.inclusion_proof import TlogProof
from api.transparency.schemas import (
    CONSISTENCY_EXAMPLE,
    HEAD_EXAMPLE,
    INCLUSION_EXAMPLE,
    NOTE_EXAMPLE,
    TLOG_EXAMPLE,
    ConsistencyProof,
    InclusionProof,
    SignedHead,
)
from eventstore.errors import InconsistentLogError
from eventstore.log import history
from eventstore.log.history import Filter
from eventstore.log.log import END
from eventstore.merkle.hashing import leaf_hash
from eventstore.merkle.proofs import root_of_inclusion
from eventstore.merkle.tree import Tree
from eventstore.merkle.tree_head import TreeHead

_JSON, _TEXT = "application/json", "text/plain"
_VARY = (b"vary", b"accept")

_Size = Annotated[int, Meta(ge=0, le=END, extra_json_schema={"format": "int64"})]


class ProofQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which tree a proof is to lead to the root of."""

    tree_size: Annotated[
        Annotated[int, Meta(ge=1, le=END, extra_json_schema={"format": "int64"})] | UnsetType,
        Meta(
            description="How long the log is to be that it is of: by default as long as it is, or was a second ago",
            examples=[1],
        ),
    ] = UNSET


class ConsistencyQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"old": "from", "new": "to"}):
    """Which two sizes of the log."""

    old: Annotated[_Size, Meta(description="The earlier size: of a checkpoint that you have", examples=[1])]
    new: Annotated[
        _Size | UnsetType,
        Meta(description="The later size: by default as long as the log is, or was a second ago", examples=[1]),
    ] = UNSET


async def get_checkpoint() -> HttpResponse:
    """What the log commits to.

    The number of events, and the root of their Merkle tree, as a C2SP tlog-checkpoint: signed where the service has
    a key. Keep it: what it was made of can't be changed afterwards without that being seen. As text, unless
    `Accept` prefers JSON. What another process wrote within the last second may not be in it yet: `min_position`
    makes sure.
    """
    request = current.get()
    await request.wait_for_position(request.query.min_position)
    head = await _newest(request, request.services.position)
    note = request.services.checkpoint_signer.write(head)
    if preferred(request.headers.get(b"accept"), (_TEXT, _JSON)) == _TEXT:
        return _text(note)
    origin = request.services.checkpoint_signer.origin
    return json_response(200, SignedHead(origin, head.size, head.root.hex(), note), _VARY)


async def get_inclusion_proof(position: str) -> HttpResponse:
    """Prove that an event is in the log.

    The very text that was hashed, the hashes that lead from it to the root of the tree, and the checkpoint that has
    this root: all it takes to check the event without this service. As JSON, unless `Accept` prefers `text/plain`:
    then as a C2SP tlog-proof, whose `extra` is the text that was hashed. With `tree_size` the answer is the same
    for ever, but for the signatures, which are made by the keys of the time.
    """
    request = current.get()
    number, size = read_number(position), request.query.tree_size
    if not number:
        raise Problem(EVENT_NOT_FOUND)
    index = number - 1
    newest = await _newest(request, max(number, request.services.position) if size is UNSET else number)
    if index >= newest.size:
        raise Problem(EVENT_NOT_FOUND, f"The log ends at position {newest.size}")
    if size is not UNSET and index >= size:
        raise wrong("tree_size", f"The first {size} events do not have position {position}")
    head = newest if size is UNSET else await _of_size(request, "tree_size", size)
    leaf, hashes = await request.services.database.read_transaction(partial(_prove, index=index, head=head))
    note = request.services.checkpoint_signer.write(head)
    headers = () if size is UNSET else (SIGNED,)
    if preferred(request.headers.get(b"accept"), (_JSON, _TEXT)) == _TEXT:
        return _text(TlogProof(index, tuple(hashes), note, leaf).write(), headers)
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
    return json_response(200, proof, _VARY, *headers)


async def get_consistency_proof() -> HttpResponse:
    """Prove that the log only grew.

    The hashes that prove that the log of size `to` begins with the log of size `from`: nothing in it was changed,
    removed or put in. Compare `old_root` with the checkpoint of that size that you kept. With both sizes named the
    answer is the same for ever, but for the signatures, which are made by the keys of the time.
    """
    request = current.get()
    query: ConsistencyQuery = request.query
    if query.new is not UNSET and query.old > query.new:
        raise wrong("to", "`to` is not below `from`: the log only grows")
    if query.new is UNSET:
        new = await _newest(request, max(query.old, request.services.position))
    else:
        new = await _of_size(request, "to", query.new)
    if query.old > new.size:
        raise wrong("from", f"The log has {new.size} events")
    old = await request.services.checkpoint_signer.earlier(query.old, new)
    hashes = await request.services.database.read_transaction(
        lambda connection: Tree(connection).consistency(old.size, new.size)
    )
    proof = ConsistencyProof(
        old_size=old.size,
        new_size=new.size,
        old_root=old.root.hex(),
        new_root=new.root.hex(),
        hashes=[hashed.hex() for hashed in hashes],
        checkpoint=request.services.checkpoint_signer.write(new),
    )
    return json_response(200, proof, *(() if query.new is UNSET else (SIGNED,)))


def _prove(connection: Connection, index: int, head: TreeHead) -> tuple[bytes, list[bytes]]:
    """Give the leaf at `index` and the hashes that lead from it to the root of `head`; raise where they don't."""
    hashes = Tree(connection).inclusion(index, head.size)
    found = list(history.read(connection, Filter(after=index, before=index + 2), 1))
    leaf = history.leaf(found[0]) if found else b""
    if root_of_inclusion(index, head.size, leaf_hash(leaf), hashes) != head.root:
        raise InconsistentLogError(f"event {index + 1:,} is not the one that was recorded")
    return leaf, hashes


async def _newest(request: RequestContext, at_least: int) -> TreeHead:
    """Give the newest head: as of now or a second ago, and of `at_least` events if there are so many.

    Proofs of a size ask for no more events than that: where others write all the while each would else take the head
    anew, which is a commit. What is of the newest size is of no earlier one than this process has answered by.
    """
    head = await request.services.checkpoint_signer.latest(at_least)
    request.set_log_position(head.size)
    return head


async def _of_size(request: RequestContext, parameter: str, size: int) -> TreeHead:
    """Give the head of `size`. Raises Problem (400), which names the parameter, where the log is not that long."""
    newest = await _newest(request, size)
    if size > newest.size:
        raise wrong(parameter, f"The log has {newest.size} events")
    request.set_log_position(size)
    return await request.services.checkpoint_signer.earlier(size, newest)


def _text(text: str, headers: Headers = ()) -> HttpResponse:
    return HttpResponse(200, text.encode(), ((b"content-type", b"text/plain; charset=utf-8"), _VARY, *headers))


ROUTES = [
    Route(
        "GET",
        "/log/checkpoint",
        get_checkpoint,
        tag="proofs",
        scope=Scope.EVENTS_READ,
        query=StateQuery,
        answers=(
            Answer(200, "The checkpoint", SignedHead, example=HEAD_EXAMPLE),
            Answer(200, "The checkpoint", str, example=NOTE_EXAMPLE, media_type=_TEXT),
        ),
        problems=(POSITION_NOT_REACHED, STORAGE_FULL, LOG_CHANGED),
    ),
    Route(
        "GET",
        "/log/proof/{position}",
        get_inclusion_proof,
        tag="proofs",
        scope=Scope.EVENTS_READ,
        query=ProofQuery,
        path_schemas=POSITION,
        answers=(
            Answer(200, "The proof", InclusionProof, example=INCLUSION_EXAMPLE),
            Answer(200, "The proof", str, example=TLOG_EXAMPLE, media_type=_TEXT),
        ),
        problems=(EVENT_NOT_FOUND, STORAGE_FULL, LOG_CHANGED),
    ),
    Route(
        "GET",
        "/log/consistency",
        get_consistency_proof,
        tag="proofs",
        scope=Scope.EVENTS_READ,
        query=ConsistencyQuery,
        answers=(Answer(200, "The proof", ConsistencyProof, example=CONSISTENCY_EXAMPLE),),
        problems=(STORAGE_FULL, LOG_CHANGED),
    ),
]
