"""Every header that requests and answers can have, as the OpenAPI document describes it."""

from typing import Any

from api.http import idempotency
from api.http.security_headers import CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY

#: Request headers that routes name where they heed them.
REQUEST_HEADERS: dict[str, dict[str, Any]] = {
    "If-None-Match": {
        "description": "Entity tags the client has: the answer is 304 where one is what it would be shown. `*` is any",
        "schema": {"type": "string"},
        "example": '"2.1"',
    },
    "Idempotency-Key": {
        "description": "Names the write: sent again with the same key and body it has no second effect, and is "
        "answered as the first time. What was rejected, or changed nothing, is decided anew. 1 to 255 characters, in "
        "double quotes or one word; best a new UUID for each write. A key counts for one method and path, and never "
        "expires",
        "schema": {"type": "string", "pattern": idempotency.PATTERN},
        "example": '"0b4ff2a2-6f0c-4c61-9a3a-3f5c61a0d1a5"',
    },
    "Last-Event-ID": {
        "description": "The `id` that came last, to go on behind it: a position, which goes before `after`",
        "schema": {"type": "string", "pattern": "^[0-9]{1,19}$"},
        "example": "0",
    },
    "If-Match": {
        "description": "Entity tags: the request is carried out only where one is the item's. `*` is any",
        "schema": {"type": "string"},
        "example": '"2.1"',
    },
}
#: Request headers that every route heeds.
COMMON_REQUEST_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "Names the request in answers and logs: 1 to 128 characters of A-Z a-z 0-9 . _ : / + = @ -. "
        "Where it is anything else, the service gives a name of its own",
        "schema": {"type": "string"},
        "example": "a1",
    },
    "traceparent": {
        "description": "W3C trace context: its trace id is recorded with every event of the request. What is none is "
        "not heeded",
        "schema": {"type": "string"},
        "example": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
}
#: Response headers that answers name where they have them.
RESPONSE_HEADERS: dict[str, dict[str, Any]] = {
    "Location": {
        "description": "Where the new item is, or the projection that is being rebuilt",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/items/1",
    },
    "ETag": {
        "description": "Changes when what is shown does; for `If-None-Match`, and an item's for `If-Match`",
        "required": True,
        "schema": {"type": "string"},
        "example": '"2.1"',
    },
    "Idempotency-Replayed": {
        "description": "Where the answer is that of an earlier request with the same `Idempotency-Key`",
        "schema": {"type": "string", "const": "true"},
        "example": "true",
    },
    "Content-Disposition": {
        "description": "What to call the answer as a file (RFC 6266)",
        "required": True,
        "schema": {"type": "string"},
        "example": 'attachment; filename="events.jsonl"',
    },
    "X-Accel-Buffering": {
        "description": "Asks proxies to pass the answer on as it comes",
        "required": True,
        "schema": {"type": "string", "const": "no"},
        "example": "no",
    },
    "Link": {
        "description": 'The first page, `rel="first"`, and the next, `rel="next"`, where there is one (RFC 8288)',
        "required": True,
        "schema": {"type": "string"},
        "example": '</items>; rel="first", </items?cursor=WyI3M2QxMmYxZjU2NGE2YmE2IixudWxsLDEwMF0>; rel="next"',
    },
    "WWW-Authenticate": {
        "description": "How to show a credential, what is wrong with this one, and the scope that it lacks (RFC 6750)",
        "required": True,
        "schema": {"type": "string", "pattern": "^Bearer"},
        "example": 'Bearer error="insufficient_scope", scope="items:write"',
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    },
}
#: Response headers that every answer has, or can have.
COMMON_RESPONSE_HEADERS: dict[str, dict[str, Any]] = {
    "Log-Position": {
        "description": "The position in the log that the answer reflects; as `min_position` it makes sure that a later "
        "answer does, too",
        "required": True,
        "schema": {"type": "integer", "format": "int64", "minimum": 0},
        "example": 42,
    },
    "X-Request-Id": {
        "description": "The request's name in the logs",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/+=@-]{1,128}$"},
        "example": "a1",
    },
    "Cache-Control": {
        "description": "How long the answer may be kept (RFC 9111): not at all, where nothing else is said",
        "required": True,
        "schema": {"type": "string"},
        "example": "no-store",
    },
    "Content-Security-Policy": {
        "description": "What a page may load, and who may frame it",
        "required": True,
        "schema": {"type": "string"},
        "example": CONTENT_SECURITY_POLICY,
    },
    "X-Content-Type-Options": {
        "description": "No browser is to guess at another media type",
        "required": True,
        "schema": {"type": "string", "const": "nosniff"},
        "example": "nosniff",
    },
    "Referrer-Policy": {
        "description": "No browser is to tell others where it has been",
        "required": True,
        "schema": {"type": "string", "const": "no-referrer"},
        "example": "no-referrer",
    },
    "RateLimit-Policy": {
        "description": "Where requests are counted: the budgets that this one was counted against, with how many a "
        "client may make (`q`) in how many seconds (`w`)",
        "schema": {"type": "string"},
        "example": '"requests";q=6000;w=60',
    },
    "RateLimit": {
        "description": "With it, how many are left now (`r`), and the seconds until none is missing (`t`); where the "
        "request was refused, until there is one again",
        "schema": {"type": "string"},
        "example": '"requests";r=5999;t=1',
    },
    "Strict-Transport-Security": {
        "description": "Over TLS: from now on come by TLS alone (RFC 6797)",
        "schema": {"type": "string", "const": STRICT_TRANSPORT_SECURITY},
        "example": STRICT_TRANSPORT_SECURITY,
    },
    "Vary": {
        "description": "What the answer depends on: `Accept` where there are several media types, and `Origin` where "
        "pages of other origins may call",
        "schema": {"type": "string", "enum": ["origin", "accept", "accept, origin"]},
        "example": "origin",
    },
    "Access-Control-Allow-Origin": {
        "description": "Where the page that calls is of an origin that may: that origin",
        "schema": {"type": "string", "format": "uri"},
        "example": "https://app.example",
    },
    "Access-Control-Expose-Headers": {
        "description": "With it, which headers of the answer that page may read",
        "schema": {"type": "string"},
        "example": "Location, ETag",
    },
}
