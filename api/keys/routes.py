"""The routes of API keys: list them, make one, replace one, end one."""

import re
from collections.abc import Collection
from functools import partial
from typing import Annotated

from msgspec import Meta, Struct

from api.auth.api_keys import store
from api.auth.api_keys.format import ID_PATTERN
from api.auth.api_keys.key_log import log_change
from api.auth.api_keys.store import ApiKey, NoSuchKeyError, now
from api.auth.authenticator import authorize
from api.auth.scopes import Scope
from api.edge.context import RequestContext, current
from api.edge.routing import Answer, Route
from api.http.problems import (
    BY_EXCEPTION,
    INVALID_BODY,
    KEY_ENDED,
    KEY_NAME_TAKEN,
    KEY_NOT_FOUND,
    MALFORMED_BODY,
    PLAIN_WORDS,
    STORAGE_FULL,
    UNSUPPORTED_MEDIA_TYPE,
)
from api.http.responses import HttpResponse, json_response
from api.keys.schemas import KeyRequest, KeyState, MadeKey, RotationRequest, made, shown

_SECOND = 1_000_000

BY_EXCEPTION.update(
    {store.NoSuchKeyError: KEY_NOT_FOUND, store.KeyEndedError: KEY_ENDED, store.NameTakenError: KEY_NAME_TAKEN}
)
PLAIN_WORDS[store.WHOLE_NAME_PATTERN] = f"Expected {store.NAME_RULE}"


class KeysQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which keys to list."""

    ended: Annotated[bool, Meta(description="Those too that have expired or were revoked", examples=[True])] = False


async def list_keys() -> HttpResponse:
    """List API keys.

    All of them, those of one holder together, the oldest first.
    """
    request = current.get()
    query: KeysQuery = request.query
    moment = now()
    found = await request.services.database.read_transaction(store.read_all)
    return json_response(200, [shown(key, moment) for key in found if query.ended or key.is_active(moment)])


async def get_key(key_id: str) -> HttpResponse:
    """Show an API key.

    What is known of it. One that was ended is in the list of all alone, for ever: the history may name its holder.
    """
    return json_response(200, shown(await _find(current.get(), key_id), now()))


async def create_key(body: KeyRequest) -> HttpResponse:
    """Make an API key.

    The answer shows it, and nothing ever does again. A name has one holder: where it has a key that is good the
    answer is 409, and that key can be replaced. Nobody can give a key a scope that they lack.
    """
    request = current.get()
    _check_own(request, body.scopes)
    lifetime = int(body.expires_in) * _SECOND
    make = partial(store.create, name=body.name, scopes=body.scopes, lifetime=lifetime, by=request.actor)
    new = await request.services.database.write(make)
    log_change("created", new.key, request.actor, request_id=request.request_id)
    return _made(made(new))


async def rotate_key(key_id: str, body: RotationRequest) -> HttpResponse:
    """Replace an API key.

    The answer shows a key with the same holder and scopes, to live as long as the old one was made for. The old one
    stays good for the overlap, and is not replaced again: its successor is.
    """
    request = current.get()
    _check_own(request, (await _find(request, key_id)).scopes)
    overlap = int(body.overlap) * _SECOND
    replace = partial(store.rotate, key_id=key_id, overlap=overlap, lifetime=None, by=request.actor)
    new = await request.services.database.write(replace)
    log_change("rotated", new.key, request.actor, replaces=key_id, request_id=request.request_id)
    return _made(made(new))


async def revoke_key(key_id: str) -> HttpResponse:
    """End an API key.

    At once: every process refuses it a second later at most. It stays in the list of all keys.
    """
    request = current.get()
    await _find(request, key_id)
    key = await request.services.database.write(partial(store.revoke, key_id=key_id, by=request.actor))
    log_change("revoked", key, request.actor, request_id=request.request_id)
    return HttpResponse(204)


async def _find(request: RequestContext, key_id: str) -> ApiKey:
    """Find the key that a path names. Raises NoSuchKeyError for what can't be an id, and what was ended, too."""
    if re.fullmatch(ID_PATTERN, key_id):
        key = await request.services.database.read_transaction(partial(store.find, key_id=key_id))
        if key.revoked_at is None:
            return key
    raise NoSuchKeyError("API key not found")


def _check_own(request: RequestContext, scopes: Collection[Scope]) -> None:
    """Raise Problem (403) where whoever asks would give away what they don't have."""
    for scope in scopes:
        authorize(request.principal, scope)


def _made(key: MadeKey) -> HttpResponse:
    return json_response(201, key, (b"location", b"/keys/%s" % key.id.encode()))


_STATE = {
    "id": "85fy6djd",
    "name": "shop",
    "scopes": ["items:read", "items:write"],
    "state": "good",
    "created_at": "2026-11-24T08:00:00.000000Z",
    "created_by": "shell:root",
    "expires_at": "2027-11-24T08:00:00.000000Z",
    "revoked_at": None,
    "revoked_by": None,
    "replaced_by": None,
    "last_used_at": "2026-11-24T08:05:00.000000Z",
}
_MADE = {
    **_STATE,
    "last_used_at": None,
    "key": "itl_85fy6djd_8XsM8djKyGSRwQ59sfqiqZDWa8W4bdg7KRyVqEaaGNB4Anl6I",
}
_ID_SCHEMA = {
    "key_id": {
        "type": "string",
        "pattern": f"^{ID_PATTERN}$",
        "description": "The part of the key between its underscores",
        "examples": ["85fy6djd"],
    }
}
_ITS_ID = {"key_id": "$response.body#/id"}
_READING_A_BODY = (MALFORMED_BODY, INVALID_BODY, UNSUPPORTED_MEDIA_TYPE)

ROUTES = [
    Route(
        "GET",
        "/keys",
        list_keys,
        tag="keys",
        scope=Scope.KEYS_ADMIN,
        query=KeysQuery,
        answers=(Answer(200, "The keys", list[KeyState], example=[_STATE]),),
    ),
    Route(
        "POST",
        "/keys",
        create_key,
        tag="keys",
        scope=Scope.KEYS_ADMIN,
        body=KeyRequest,
        example={"name": "shop", "scopes": ["items:read", "items:write"], "expires_in": 7_776_000},
        answers=(Answer(201, "Made", MadeKey, ("Location",), _MADE, links=_ITS_ID),),
        problems=(KEY_NAME_TAKEN, *_READING_A_BODY, STORAGE_FULL),
    ),
    Route(
        "GET",
        "/keys/{key_id}",
        get_key,
        tag="keys",
        scope=Scope.KEYS_ADMIN,
        path_schemas=_ID_SCHEMA,
        answers=(Answer(200, "The key", KeyState, example=_STATE, links=_ITS_ID),),
        problems=(KEY_NOT_FOUND,),
    ),
    Route(
        "DELETE",
        "/keys/{key_id}",
        revoke_key,
        tag="keys",
        scope=Scope.KEYS_ADMIN,
        path_schemas=_ID_SCHEMA,
        answers=(Answer(204, "Ended", links={"key_id": "$request.path.key_id"}),),
        problems=(KEY_NOT_FOUND, KEY_ENDED, STORAGE_FULL),
    ),
    Route(
        "POST",
        "/keys/{key_id}/rotate",
        rotate_key,
        tag="keys",
        scope=Scope.KEYS_ADMIN,
        path_schemas=_ID_SCHEMA,
        body=RotationRequest,
        example={"overlap": 3600},
        answers=(Answer(201, "Made", MadeKey, ("Location",), _MADE, links=_ITS_ID),),
        problems=(KEY_NOT_FOUND, KEY_ENDED, *_READING_A_BODY, STORAGE_FULL),
    ),
]
