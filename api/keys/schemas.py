"""The bodies of requests and responses about API keys. The command line prints the same."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, structs

from api.auth.api_keys.format import ID_PATTERN
from api.auth.api_keys.store import NewKey
from api.auth.api_keys.table import WHOLE_NAME_PATTERN, ApiKey
from api.auth.scopes import Scope
from api.http.rfc3339 import format_time

YEAR_SECONDS = 365 * 86_400
# In JSON Schema 60.0 is an integer too, which `int` would reject.
_Lifetime = Annotated[float, Meta(ge=0, le=100 * YEAR_SECONDS, multiple_of=1)]
_Overlap = Annotated[float, Meta(ge=0, le=YEAR_SECONDS, multiple_of=1)]
_Time = Annotated[str, Meta(pattern="Z$")]
KeyId = Annotated[str, Meta(pattern=f"^{ID_PATTERN}$", description="The part of the key between its underscores")]


_BY_CREDENTIAL = "The actor's credential, as in events; null for `anonymous` and for a user of the server's machine"
_EARLIER = (
    "The keys that the name had before, all of them ended. If their holder was another person, tell the events of the "
    "two apart by `credential`. Empty for a rotated key, whose holder is the same"
)


class KeyRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A key to create."""

    name: Annotated[
        str, Meta(pattern=WHOLE_NAME_PATTERN, description="The holder: the actor of all events caused with the key")
    ]
    scopes: Annotated[list[Scope], Meta(min_length=1, description="The scopes; your own credential must have them too")]
    expires_in: Annotated[_Lifetime, Meta(description="The lifetime in seconds; 0 means no expiry")] = YEAR_SECONDS


class RotationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How to rotate a key."""

    overlap: Annotated[
        _Overlap, Meta(description="Seconds that the old key stays active, unless it expires earlier")
    ] = 86_400


class KeyState(Struct, frozen=True, kw_only=True):
    """An API key without its secret."""

    id: KeyId
    original_id: Annotated[
        str, Meta(description="The id of the key that it descends from by rotation; its own if it does not")
    ]
    name: Annotated[str, Meta(description="The holder")]
    scopes: list[Scope]
    state: Annotated[Literal["good", "expired", "revoked"], Meta(description="`good`: the key is active")]
    created_at: _Time
    created_by: Annotated[str, Meta(description="The actor, or `shell:` and a user of the server's machine")]
    created_by_credential: Annotated[str | None, Meta(description=_BY_CREDENTIAL)]
    expires_at: Annotated[_Time | None, Meta(description="Null if the key does not expire")]
    revoked_at: _Time | None
    revoked_by: str | None
    revoked_by_credential: Annotated[str | None, Meta(description=_BY_CREDENTIAL)]
    replaced_by: Annotated[str | None, Meta(description="The id of the key that replaced it by rotation")]
    last_used_at: Annotated[_Time | None, Meta(description="Accurate to some minutes; null if never used")]


class CreatedKey(KeyState, frozen=True, kw_only=True):
    """A key that was just created."""

    earlier_keys: Annotated[list[KeyId], Meta(description=_EARLIER)]
    key: Annotated[str, Meta(description="The secret credential. It is not stored and cannot be shown again")]


def to_key(key: ApiKey, moment: int) -> KeyState:
    """Return the state of a key at `moment`, in microseconds since the epoch."""
    return KeyState(**_fields(key, moment))


def to_created_key(new: NewKey) -> CreatedKey:
    """Return a new key with its secret."""
    earlier = [key.id for key in new.earlier]
    return CreatedKey(**_fields(new.key, new.key.created_at), earlier_keys=earlier, key=new.text)


def _fields(key: ApiKey, moment: int) -> dict[str, Any]:
    fields = structs.asdict(key)
    times = {name: format_time(time) for name, time in fields.items() if name.endswith("_at") and time is not None}
    state = "good" if key.is_active(moment) else "expired" if key.revoked_at is None else "revoked"
    return {**fields, **times, "scopes": [*key.scopes], "state": state}
