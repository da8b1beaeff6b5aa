"""Errors as RFC 9457 problems. One table says what each exception is to a client."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

import msgspec
from FasterAPI import HTTPException, RequestValidationError
from msgspec import Meta, Struct

from api.http.responses import Headers, HttpResponse
from commands import errors as commands
from commands.item import NAME_PATTERN, TEXT_PATTERN
from commands.price import PRICE_PATTERN
from eventstore import errors as eventstore
from projections.live import NewerTableError

MEDIA_TYPE = "application/problem+json"


class Kind(Struct, frozen=True):
    """One sort of problem. `code` is stable; its type URI is `/problems/{code}`, which describes it."""

    code: str
    status: int
    title: str
    description: str
    retry_after: int | None = None


class FieldError(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a request."""

    detail: str
    #: Where in the body: a JSON Pointer (RFC 6901), empty for the whole.
    pointer: str | None = None
    #: Which query parameter.
    parameter: str | None = None


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """The body of an error answer (RFC 9457)."""

    type: Annotated[str, Meta(description="A URI reference that identifies and, when fetched, describes the problem")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    code: Annotated[str, Meta(description="The last part of `type`, stable")]
    request_id: str
    errors: tuple[FieldError, ...] = ()
    outcome: Annotated[str | None, Meta(description="`unknown` where a write may or may not have taken place")] = None
    violated_policies: Annotated[
        tuple[str, ...], Meta(description="Which budgets are spent, as `RateLimit-Policy` names them")
    ] = msgspec.field(default=(), name="violated-policies")


NOT_FOUND = Kind("not-found", 404, "Not Found", "No resource has this path.")
ITEM_NOT_FOUND = Kind("item-not-found", 404, "Item Not Found", "No item has this id, or it was deleted.")
EVENT_NOT_FOUND = Kind("event-not-found", 404, "Event Not Found", "No event has this position, or not yet.")
PROJECTION_NOT_FOUND = Kind("projection-not-found", 404, "Projection Not Found", "No projection has this name.")
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed", 405, "Method Not Allowed", "The resource has other methods; `Allow` lists them."
)
ITEM_NOT_DELETED = Kind("item-not-deleted", 409, "Conflict", "The item is there: only a deleted item can be restored.")
REBUILD_RUNNING = Kind("rebuild-running", 409, "Conflict", "The projection is being rebuilt already.")
REBUILD_NOT_RUNNING = Kind("rebuild-not-running", 409, "Conflict", "The projection is not being rebuilt.")
BODY_TIMEOUT = Kind("body-timeout", 408, "Request Timeout", "The request's body took too long to arrive.")
PRECONDITION_FAILED = Kind(
    "precondition-failed", 412, "Precondition Failed", "The item is not at a version that `If-Match` names."
)
BODY_TOO_LARGE = Kind("body-too-large", 413, "Content Too Large", "The request's body has more bytes than are taken.")
UNSUPPORTED_MEDIA_TYPE = Kind(
    "unsupported-media-type", 415, "Unsupported Media Type", "The body must be JSON, and `Content-Type` must say so."
)
MALFORMED_BODY = Kind(
    "malformed-body", 400, "Bad Request", "The body is not UTF-8, or is JSON nested deeper than 32 levels."
)
INVALID_QUERY = Kind(
    "invalid-query",
    400,
    "Bad Request",
    "A query parameter is unknown, missing, given twice, or has a value it can't have.",
)
CREDENTIAL_REQUIRED = Kind(
    "credential-required", 401, "Unauthorized", "The request must show a credential: `Authorization: Bearer`."
)
CREDENTIAL_INVALID = Kind(
    "credential-invalid", 401, "Unauthorized", "The credential is malformed, unknown, expired or revoked."
)
ISSUER_UNAVAILABLE = Kind(
    "issuer-unavailable", 503, "Service Unavailable", "The keys that access tokens are checked by can't be had now.", 5
)
INSUFFICIENT_SCOPE = Kind(
    "insufficient-scope", 403, "Forbidden", "The credential lacks the scope that the request takes; `detail` names it."
)
KEY_NOT_FOUND = Kind("key-not-found", 404, "Key Not Found", "No API key has this id, or it was revoked.")
KEY_ENDED = Kind("key-ended", 409, "Conflict", "The API key has expired, or was replaced already.")
KEY_NAME_TAKEN = Kind("key-name-taken", 409, "Conflict", "The holder has an API key that is good: it can be replaced.")
INVALID_HEADER = Kind("invalid-header", 400, "Bad Request", "A request header has a value that it can't have.")
KEY_REUSED = Kind(
    "idempotency-key-reused", 422, "Unprocessable Content", "The idempotency key was used before, with another request."
)
INVALID_BODY = Kind(
    "invalid-body", 422, "Unprocessable Content", "The body is not JSON, or is not what this request takes."
)
QUOTA_EXCEEDED = Kind(
    "quota-exceeded", 429, "Too Many Requests", "The client has asked more often than it may. Nothing was done.", 1
)
POSITION_NOT_REACHED = Kind(
    "position-not-reached", 503, "Service Unavailable", "The state asked for by `min_position` is not there yet.", 1
)
PROJECTION_NOT_READY = Kind(
    "projection-not-ready", 503, "Service Unavailable", "The answer is still being worked out from the log.", 5
)
INTERNAL = Kind("internal-error", 500, "Internal Server Error", "A fault of the service; its log has the request_id.")
LOG_CHANGED = Kind(
    "log-changed", 500, "Internal Server Error", "The log was changed from outside: nothing can be proven of it."
)
OVERLOADED = Kind(
    "overloaded", 503, "Service Unavailable", "Too many writes are waiting. Nothing was done; try again.", 1
)
BUSY = Kind(
    "busy", 503, "Service Unavailable", "This process has as much under way as it may. Nothing was done; try again.", 1
)
TOO_MANY_STREAMS = Kind(
    "too-many-streams", 503, "Service Unavailable", "This process has as many open streams as it may have.", 5
)
STOPPING = Kind("stopping", 503, "Service Unavailable", "This process is stopping. Nothing was done; try again.", 1)
UNAVAILABLE = Kind(
    "database-unavailable", 503, "Service Unavailable", "The database can't be used for now. Nothing was done.", 1
)
OUTCOME_UNKNOWN = Kind(
    "outcome-unknown", 503, "Service Unavailable", "The database was lost during a commit: it may have taken place.", 5
)
NOT_READY = Kind("not-ready", 503, "Service Unavailable", "The service can't do its work now; `detail` says why.", 1)
REBUILD_FAILED = Kind(
    "rebuild-failed", 503, "Service Unavailable", "The rebuild ended before it had begun; `detail` says why.", 60
)
STORAGE_FULL = Kind(
    "storage-full", 507, "Insufficient Storage", "The database has no room left. Nothing was done; reads go on."
)

KINDS = tuple(kind for kind in globals().values() if isinstance(kind, Kind))

#: Every exception that means something to a client, by its class or the nearest of its bases.
BY_EXCEPTION: dict[type[BaseException], Kind] = {
    RequestValidationError: INVALID_BODY,
    commands.InvalidPriceError: INVALID_BODY,
    commands.ItemNotFoundError: ITEM_NOT_FOUND,
    commands.ItemNotDeletedError: ITEM_NOT_DELETED,
    commands.VersionMismatchError: PRECONDITION_FAILED,
    commands.IdempotencyKeyReusedError: KEY_REUSED,
    commands.QueueFullError: OVERLOADED,
    commands.WriterClosedError: STOPPING,
    eventstore.UnavailableError: UNAVAILABLE,
    eventstore.StorageFullError: STORAGE_FULL,
    eventstore.OutcomeUnknownError: OUTCOME_UNKNOWN,
    eventstore.InconsistentLogError: LOG_CHANGED,
    NewerTableError: NOT_READY,
    HTTPException: INTERNAL,
    Exception: INTERNAL,
}


_NOTHING: Mapping[str, object] = MappingProxyType({})


class Problem(Exception):  # noqa: N818  (RFC 9457's word)
    """An error answer that the doors themselves give."""

    def __init__(
        self,
        kind: Kind,
        detail: str | None = None,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: Headers = (),
        retry_after: int | None = None,
        violated_policies: tuple[str, ...] = (),
        noted: Mapping[str, object] = _NOTHING,
    ) -> None:
        super().__init__(detail or kind.description)
        self.kind = kind
        self.errors = errors
        self.headers = headers
        self.retry_after = kind.retry_after if retry_after is None else retry_after
        self.violated_policies = violated_policies
        #: What the log says of it, and the client does not learn.
        self.noted = noted


def kind_of(error: BaseException) -> Kind:
    """Give the kind of problem that `error` is to a client."""
    if isinstance(error, Problem):
        return error.kind
    return next(BY_EXCEPTION[base] for base in type(error).__mro__ if base in BY_EXCEPTION)


def problem_response(error: Exception, request_id: str) -> HttpResponse:
    """Make the answer that tells a client of `error`; of an unexpected one it tells nothing but the request's id."""
    kind = kind_of(error)
    errors, detail = _faults(error), str(error)
    headers: Headers = ()
    retry_after, violated_policies = kind.retry_after, tuple[str, ...]()
    if isinstance(error, Problem):
        errors, headers = error.errors, error.headers
        retry_after, violated_policies = error.retry_after, error.violated_policies
    elif isinstance(error, RequestValidationError):
        detail = kind.description
    elif kind is INTERNAL:
        detail = "An unexpected error occurred"
    details = ProblemDetails(
        type=f"/problems/{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=kind.code,
        request_id=request_id,
        errors=errors,
        outcome="unknown" if kind is OUTCOME_UNKNOWN else None,
        violated_policies=violated_policies,
    )
    if retry_after is not None:
        headers = (*headers, (b"retry-after", b"%d" % retry_after))
    body = msgspec.json.encode(details)
    return HttpResponse(kind.status, body, ((b"content-type", MEDIA_TYPE.encode()), *headers))


_PATH = re.compile(r"(?P<detail>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"Object (?:missing required|contains unknown) field `(?P<name>.*?)`")
PLAIN_WORDS = {
    NAME_PATTERN: "Expected a text that is not blank and has no control characters",
    TEXT_PATTERN: "Expected a text without control characters",
    PRICE_PATTERN: "Expected a decimal number with at most 4 fractional digits",
}


def _faults(error: Exception) -> tuple[FieldError, ...]:
    if isinstance(error, commands.InvalidPriceError):
        return (FieldError(str(error), pointer="/price"),)
    if isinstance(error, RequestValidationError):
        return tuple(_fault(entry["msg"]) for entry in error.errors)
    return ()


def _fault(message: str) -> FieldError:
    """Take a msgspec message apart: "Expected `int`, got `str` - at `$.a[0]`" is at the JSON Pointer /a/0."""
    match = _PATH.fullmatch(message)
    assert match is not None
    detail, path = match["detail"], match["path"] or ""
    pointer = "".join(f"/{name or index}" for name, index in _STEP.findall(path))
    if field := _FIELD.match(detail):
        pointer += "/" + field["name"].replace("~", "~0").replace("/", "~1")
    return FieldError(plain(detail), pointer=pointer)


def plain(detail: str) -> str:
    """Give a msgspec message without the pattern that it names."""
    return next((words for pattern, words in PLAIN_WORDS.items() if repr(pattern) in detail), detail)
