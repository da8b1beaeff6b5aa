"""What requests and answers say of API keys. The shell prints the same."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, structs

from api.auth.api_keys.store import WHOLE_NAME_PATTERN, ApiKey, NewKey
from api.auth.scopes import Scope
from api.http.rfc3339 import format_time

YEAR_SECONDS = 365 * 86_400
# As JSON Schema has whole numbers, of which 60.0 is one; an `int` would refuse it.
_Lifetime = Annotated[float, Meta(ge=0, le=100 * YEAR_SECONDS, multiple_of=1)]
_Overlap = Annotated[float, Meta(ge=0, le=YEAR_SECONDS, multiple_of=1)]
_Time = Annotated[str, Meta(pattern="Z$")]


class KeyRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made."""

    name: Annotated[
        str,
        Meta(
            pattern=WHOLE_NAME_PATTERN, description="The holder: the actor of every event that is caused with the key"
        ),
    ]
    scopes: Annotated[list[Scope], Meta(min_length=1, description="What it is good for; none that you lack yourself")]
    expires_in: Annotated[_Lifetime, Meta(description="Seconds that it lives; 0: it does not expire")] = YEAR_SECONDS


class RotationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How to replace a key."""

    overlap: Annotated[
        _Overlap,
        Meta(description="Seconds that the old key stays good beside the new one, where it does not expire before"),
    ] = 86_400


class KeyState(Struct, frozen=True, kw_only=True):
    """An API key, without what its holder shows."""

    id: Annotated[str, Meta(description="The part of the key between its underscores")]
    name: Annotated[str, Meta(description="The holder")]
    scopes: list[Scope]
    state: Literal["good", "expired", "revoked"]
    created_at: _Time
    created_by: Annotated[str, Meta(description="The actor, or `shell:` and a user of the service's machine")]
    expires_at: Annotated[_Time | None, Meta(description="Null where it does not expire")]
    revoked_at: _Time | None
    revoked_by: str | None
    replaced_by: Annotated[str | None, Meta(description="The id of the key that took its place")]
    last_used_at: Annotated[_Time | None, Meta(description="To within some minutes; null where it never was")]


class MadeKey(KeyState, frozen=True, kw_only=True):
    """A key that was just made."""

    key: Annotated[str, Meta(description="What its holder shows. It is not kept, and can't be shown again")]


def shown(key: ApiKey, moment: int) -> KeyState:
    """Give what is known of a key at `moment`, in microseconds since the epoch."""
    return KeyState(**_fields(key, moment))


def made(new: NewKey) -> MadeKey:
    """Give a new key, with what its holder shows."""
    return MadeKey(**_fields(new.key, new.key.created_at), key=new.text)


def _fields(key: ApiKey, moment: int) -> dict[str, Any]:
    fields = structs.asdict(key)
    times = {name: format_time(time) for name, time in fields.items() if name.endswith("_at") and time is not None}
    state = "good" if key.is_active(moment) else "expired" if key.revoked_at is None else "revoked"
    return {**fields, **times, "scopes": [*key.scopes], "state": state}
