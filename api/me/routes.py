"""The route `/me`: whose credential a request has, and what it allows."""

from typing import Annotated

from msgspec import Meta, Struct

from api.auth.scopes import Scope, Unscoped, as_scopes
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.http.responses import HttpResponse, json_response
from api.http.rfc3339 import format_time
from api.schemas.examples import load

_EXPIRES_AT = (
    "When the service stops accepting it, unless it is revoked earlier; null if it does not expire. For an access "
    "token this is 30 seconds after its `exp`"
)


class Me(Struct, frozen=True):
    """The credential of the request."""

    actor: Annotated[str, Meta(description="The actor of the events that it causes, `anonymous` without a credential")]
    credential: Annotated[
        str | None, Meta(description="`key:` and the key's id, or `jwt:` and the issuer; null for `anonymous`")
    ]
    scopes: Annotated[list[Scope], Meta(description="What it allows. An operation names the scope that it requires")]
    expires_at: Annotated[Annotated[str, Meta(pattern="Z$")] | None, Meta(description=_EXPIRES_AT)]
    credential_required: Annotated[
        bool, Meta(description="Whether the service requires credentials. If not, local requests have all scopes")
    ]


async def me() -> HttpResponse:
    """Get your credential's holder, scopes and expiry.

    Accepts any credential. While the service requires none, it describes what a request without a credential may do.
    The response contains no secret.
    """
    principal = current.get().principal
    return json_response(
        200,
        Me(
            actor=principal.actor,
            credential=principal.credential,
            scopes=[*as_scopes(principal.scopes)],
            expires_at=None if principal.expires_at is None else format_time(round(principal.expires_at * 1e6)),
            # Without one, this request was accepted because none is required.
            credential_required=principal.credential is not None,
        ),
    )


_ME = Answer(200, "The credential", Me, example=load("me")["me"])

ROUTES = [Route("GET", "/me", me, tag="keys", scope=Unscoped.ANY_CREDENTIAL, answers=(_ME,))]
