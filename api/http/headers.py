"""Every request and response header, as the OpenAPI document describes it."""

from functools import partial
from typing import Any

from api.http import idempotency
from api.http.security_headers import CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY


def _header(
    description: str, example: object, type: str = "string", *, required: bool = False, **schema: object
) -> dict[str, Any]:
    header = {"description": description, "schema": {"type": type, **schema}, "example": example}
    return {**header, "required": True} if required else header


_always = partial(_header, required=True)  # in every response that names it

#: Request headers of single routes.
REQUEST_HEADERS = {
    "If-None-Match": _header("Entity tags that the client has. If one is current: 304. `*` matches any", '"2.1"'),
    "Idempotency-Key": _header(
        "Makes the write safe to retry. A repeated request with the same key and body returns the original response. "
        "Requests that were rejected or changed nothing are evaluated again. 1 to 255 characters, in double quotes or "
        "as one word; preferably a new UUID for each write. A key is valid for one method and path, and never expires",
        '"0b4ff2a2-6f0c-4c61-9a3a-3f5c61a0d1a5"',
        pattern=idempotency.PATTERN,
    ),
    "Last-Event-ID": _header(
        "The last `id` received, to resume after it. It overrides `after`", "0", pattern="^[0-9]{1,18}$"
    ),
    "If-Match": _header("Entity tags. The write takes place only if one is the item's. `*` matches any", '"2.1"'),
}
#: Request headers of every route.
COMMON_REQUEST_HEADERS = {
    "X-Request-Id": _header(
        "Identifies the request in responses and logs: 1 to 128 characters of A-Z a-z 0-9 . _ : / + = @ -. If it is "
        "absent or invalid, the service generates an id",
        "a1",
    ),
    "traceparent": _header(
        "W3C trace context. Its trace id is recorded with every event of the request. An invalid value is ignored",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ),
}
#: Response headers of single routes.
RESPONSE_HEADERS = {
    "Location": _always(
        "URL of the new item, of the projection being rebuilt, or of the console", "/items/1", format="uri-reference"
    ),
    "ETag": _always("Changes with the representation. For `If-None-Match`, and an item's for `If-Match`", '"2.1"'),
    "Idempotency-Replayed": _header(
        "Present if this is the response of an earlier request with the same `Idempotency-Key`", "true", const="true"
    ),
    "Content-Disposition": _always("The file name for the response (RFC 6266)", 'attachment; filename="events.jsonl"'),
    "X-Accel-Buffering": _always("Asks proxies not to buffer the response", "no", const="no"),
    "Link": _always(
        'The first page, `rel="first"`, and the next one, if any, `rel="next"` (RFC 8288)',
        '</items>; rel="first", </items?cursor=WyI3M2QxMmYxZjU2NGE2YmE2IixudWxsLDEwMF0>; rel="next"',
    ),
    "WWW-Authenticate": _always(
        "How to authenticate, why this credential was rejected, and which scope it lacks (RFC 6750)",
        'Bearer error="insufficient_scope", scope="items:write"',
        pattern="^Bearer",
    ),
    "Accept-Post": _always("The media types of a body for POST", "application/json"),
    "Accept-Patch": _always(
        "The media types of a body for PATCH (RFC 5789)", "application/merge-patch+json, application/json"
    ),
    "Accept-Encoding": _header(
        "Present if the body had a content coding: the service supports none (RFC 9110)", "identity", const="identity"
    ),
    "Retry-After": _always("Seconds to wait before a retry", 1, "integer", minimum=1),
}
#: Response headers that every response has or can have.
COMMON_RESPONSE_HEADERS = {
    "Log-Position": _always(
        "The log position that the response reflects. As `min_position` it makes later responses at least as new",
        42,
        "integer",
        format="int64",
        minimum=0,
    ),
    "X-Request-Id": _always("The request's id in the logs", "a1", pattern="^[A-Za-z0-9._:/+=@-]{1,128}$"),
    "Cache-Control": _always(
        "How long the response may be cached (RFC 9111). `no-store` unless the route says otherwise", "no-store"
    ),
    "Content-Security-Policy": _always("What a page may load, and which pages may frame it", CONTENT_SECURITY_POLICY),
    "X-Content-Type-Options": _always("Browsers must not guess another media type", "nosniff", const="nosniff"),
    "Referrer-Policy": _always("Browsers must not send a `Referer` header", "no-referrer", const="no-referrer"),
    "RateLimit-Policy": _header(
        "The rate limits that the request counted against: each with its requests (`q`) per window in seconds (`w`). "
        "Absent for clients without rate limits",
        '"requests";q=6000;w=60',
    ),
    "RateLimit": _header(
        "For each of these limits the remaining requests (`r`), and the seconds (`t`) until it is fully restored, or, "
        "if it rejected the request, until the next request is possible",
        '"requests";r=5999;t=1',
    ),
    "Strict-Transport-Security": _header(
        "Over TLS: use only TLS from now on (RFC 6797)", STRICT_TRANSPORT_SECURITY, const=STRICT_TRANSPORT_SECURITY
    ),
    "Vary": _header(
        "The request headers that the response depends on: `Accept` for routes with several media types, `Origin` if "
        "cross-origin requests are allowed",
        "origin",
        enum=["origin", "accept", "accept, origin"],
    ),
    "Access-Control-Allow-Origin": _header(
        "The calling page's origin, if allowed", "https://app.example", format="uri"
    ),
    "Access-Control-Expose-Headers": _header("The response headers that such a page may read", "Location, ETag"),
}
