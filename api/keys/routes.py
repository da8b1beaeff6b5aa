"""The routes of `/keys`: list, create, rotate and revoke API keys."""

import re
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from api.auth.api_keys import store
from api.auth.api_keys.format import ID_PATTERN
from api.auth.api_keys.store import NewKey, NoSuchKeyError
from api.auth.api_keys.table import NAME_RULE, WHOLE_NAME_PATTERN, ApiKey
from api.auth.api_keys.usage import log_change, log_new
from api.auth.authenticator import authorize, rejection
from api.auth.principal import CredentialError
from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.routing import Answer, Route
from api.http import problems
from api.http.pagination import CURSOR, page_links
from api.http.query_params import wrong
from api.http.responses import HttpResponse, json_response
from api.keys.schemas import CreatedKey, KeyId, KeyRequest, KeyState, RotationRequest, to_created_key, to_key
from eventstore.clock import now

T = TypeVar("T")

_SECOND = 1_000_000

problems.BY_EXCEPTION[store.NoSuchKeyError] = problems.KEY_NOT_FOUND
problems.BY_EXCEPTION[store.KeyEndedError] = problems.KEY_ENDED
problems.BY_EXCEPTION[store.NameTakenError] = problems.KEY_NAME_TAKEN
problems.PLAIN_WORDS[WHOLE_NAME_PATTERN] = f"Expected {NAME_RULE}"


class KeysQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which keys to list, and the page."""

    ended: Annotated[bool, Meta(description="Include expired and revoked keys", examples=[True])] = False
    limit: Annotated[int, Meta(ge=1, le=1000, description="The maximum number of keys to return", examples=[20])] = 100
    cursor: Annotated[
        Annotated[str, Meta(pattern=f"^{ID_PATTERN}$")] | UnsetType, Meta(description=CURSOR, examples=["85fy6djd"])
    ] = UNSET


async def list_keys() -> HttpResponse:
    """List API keys.

    Sorted by holder and then by age, the oldest first. Follow `rel="next"` of the `Link` header until there is none.
    """
    request = current.get()
    query: KeysQuery = request.query
    moment = now()
    read = partial(
        store.read_page,
        limit=query.limit,
        active_at=None if query.ended else moment,
        after=None if query.cursor is UNSET else query.cursor,
    )
    try:
        keys, following = await request.services.database.read_transaction(read)
    except NoSuchKeyError:
        raise wrong("cursor", "Not a cursor of this list") from None
    links = page_links(request.path, msgspec.to_builtins(query), "cursor", following)
    return json_response(200, [to_key(key, moment) for key in keys], (b"link", links))


async def get_key(key_id: str) -> HttpResponse:
    """Show an API key.

    A revoked key is only in the list of all keys, for ever, because the history may name its holder.
    """
    return json_response(200, to_key(await _find(current.get(), key_id), now()))


async def create_key(body: KeyRequest) -> HttpResponse:
    """Create an API key.

    Only this response contains the key. A name has one holder: if it already has an active key the answer is 409, and
    that key can be rotated. `earlier_keys` says that the name was in use before, by a holder who may have been another
    person. You cannot grant a scope that your own credential lacks.
    """
    request = current.get()
    _check_own_scopes(request, body.scopes)
    lifetime = int(body.expires_in) * _SECOND
    return await _make(request, "created", partial(store.create, name=body.name, scopes=body.scopes, lifetime=lifetime))


async def rotate_key(key_id: str, body: RotationRequest) -> HttpResponse:
    """Rotate an API key.

    Returns a new key with the same holder, scopes and lifetime. The old key stays active for the overlap. It cannot be
    rotated again; rotate its successor.
    """
    request = current.get()
    _check_own_scopes(request, (await _find(request, key_id)).scopes)
    rotate = partial(store.rotate, key_id=key_id, overlap=int(body.overlap) * _SECOND, lifetime=None)
    return await _make(request, "rotated", rotate, replaces=key_id)


async def revoke_key(key_id: str) -> HttpResponse:
    """Revoke an API key.

    Every process rejects it within one second. It stays in the list of all keys.
    """
    request = current.get()
    await _find(request, key_id)
    key = await _change(request, partial(store.revoke, key_id=key_id))
    log_change("revoked", key, request.actor, request.principal.credential, request_id=request.request_id)
    return HttpResponse(204)


async def _find(request: RequestContext, key_id: str) -> ApiKey:
    """Find the key in a path. Raises NoSuchKeyError, also for an id of another form and for a revoked key."""
    if re.fullmatch(ID_PATTERN, key_id):
        key = await request.services.database.read_transaction(partial(store.find, key_id=key_id))
        if key.revoked_at is None:
            return key
    raise NoSuchKeyError("API key not found")


def _check_own_scopes(request: RequestContext, scopes: Collection[Scope]) -> None:
    """Raise Problem (403) if the client would grant a scope that it lacks."""
    for scope in scopes:
        authorize(request.principal, scope)


async def _make(request: RequestContext, change: str, make: Callable[..., NewKey], **log_fields: str) -> HttpResponse:
    """Write a new key, made by `make` on behalf of the client, log it, and return the response with it."""
    new = await _change(request, make)
    credential = request.principal.credential
    log_new(change, new, request.actor, credential, **log_fields, request_id=request.request_id)
    return json_response(201, to_created_key(new), (b"location", b"/keys/%s" % new.key.id.encode()))


async def _change(request: RequestContext, change: Callable[..., T]) -> T:
    """Run `change` on behalf of the client. Raises Problem (401) where its credential has ended meanwhile."""
    try:
        return await request.services.database.write(partial(change, by=request.actor, client=request.principal))
    except CredentialError as error:
        raise rejection(error) from None


EXAMPLES: dict[str, Any] = msgspec.json.decode(Path(__file__).with_name("examples.json").read_bytes())
_ID_SCHEMA = {"key_id": {**msgspec.json.schema(KeyId), "examples": [EXAMPLES["key"]["id"]]}}
_LINKS = {"key_id": "$response.body#/id"}
_LIST = Answer(200, "A page of keys", list[KeyState], ("Link",), [EXAMPLES["key"]])
_KEY = Answer(200, "The key", KeyState, example=EXAMPLES["key"], links=_LINKS)
_CREATED = Answer(201, "Created", CreatedKey, ("Location",), EXAMPLES["created_key"], links=_LINKS)
_REVOKED = Answer(204, "Revoked", links={"key_id": "$request.path.key_id"})

_NOT_FOUND, _ENDED, _TAKEN = problems.KEY_NOT_FOUND, problems.KEY_ENDED, problems.KEY_NAME_TAKEN
_FULL = problems.STORAGE_FULL
_WRITE_PROBLEMS = (problems.MALFORMED_BODY, problems.INVALID_BODY, problems.UNSUPPORTED_MEDIA_TYPE, _FULL)

_route = partial(Route, tag="keys", scope=Scope.KEYS_ADMIN)
_create = partial(_route, "POST", answers=(_CREATED,))
_key_route = partial(_route, path_schemas=_ID_SCHEMA)
ROUTES = [
    _route("GET", "/keys", list_keys, query=KeysQuery, answers=(_LIST,)),
    _create("/keys", create_key, body=KeyRequest, example=EXAMPLES["create"], problems=(_TAKEN, *_WRITE_PROBLEMS)),
    _key_route("GET", "/keys/{key_id}", get_key, answers=(_KEY,), problems=(_NOT_FOUND,)),
    _key_route("DELETE", "/keys/{key_id}", revoke_key, answers=(_REVOKED,), problems=(_NOT_FOUND, _ENDED, _FULL)),
    _create(
        "/keys/{key_id}/rotate",
        rotate_key,
        path_schemas=_ID_SCHEMA,
        body=RotationRequest,
        example=EXAMPLES["rotate"],
        problems=(_NOT_FOUND, _ENDED, *_WRITE_PROBLEMS),
    ),
]
