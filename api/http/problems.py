"""Errors as RFC 9457 problems. One table maps each exception to its problem."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from FasterAPI import HTTPException, RequestValidationError
from msgspec import Meta, Struct

from api.http.responses import Headers, HttpResponse
from commands import errors as commands
from commands.name import NEW_NAME_PATTERN, TEXT_PATTERN
from commands.price import PRICE_PATTERN
from eventstore import errors as eventstore
from projections.errors import ProjectionNotReadyError

MEDIA_TYPE = "application/problem+json"
#: Phrases of RFC 9110 that Python before 3.13 does not have.
_RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}


class Kind(Struct, frozen=True):
    """A problem type. `code` is stable; the type's URI is `/problems/{code}`, which describes it."""

    code: str
    status: int
    description: str
    retry_after: int | None = None  # seconds that a client waits before a retry; None if a retry is useless

    @property
    def title(self) -> str:
        """The status's phrase. A 404 names what was not found."""
        if self.status == 404:
            return self.code.replace("-", " ").title()
        return _RENAMED.get(self.status) or HTTPStatus(self.status).phrase


class FieldError(Struct, frozen=True, omit_defaults=True):
    """One invalid field of a request."""

    detail: str
    pointer: str | None = None  # where in the body: a JSON Pointer (RFC 6901), empty for the whole body
    parameter: str | None = None  # which query parameter


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """The body of an error response (RFC 9457)."""

    type: Annotated[str, Meta(description="A URI reference that identifies and, when fetched, describes the problem")]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    code: Annotated[str, Meta(description="The last part of `type`. It never changes")]
    request_id: str
    errors: tuple[FieldError, ...] = ()
    outcome: Annotated[str | None, Meta(description="`unknown` if the write may or may not have taken place")] = None
    violated_policies: Annotated[
        tuple[str, ...], Meta(description="The rate limits that were exceeded, as `RateLimit-Policy` names them")
    ] = msgspec.field(default=(), name="violated-policies")


MALFORMED_BODY = Kind("malformed-body", 400, "The body is not valid UTF-8, or its JSON is nested too deep.")
INVALID_QUERY = Kind("invalid-query", 400, "A query parameter is unknown, missing, repeated, or has an invalid value.")
INVALID_HEADER = Kind("invalid-header", 400, "A request header has an invalid value.")
CREDENTIAL_REQUIRED = Kind("credential-required", 401, "A credential is required. Send it as `Authorization: Bearer`.")
CREDENTIAL_INVALID = Kind("credential-invalid", 401, "The credential is malformed, unknown, expired or revoked.")
INSUFFICIENT_SCOPE = Kind("insufficient-scope", 403, "The credential does not have the required scope. See `detail`.")
NOT_FOUND = Kind("not-found", 404, "No resource has this path.")
ITEM_NOT_FOUND = Kind("item-not-found", 404, "No item has this id, or it was deleted.")
EVENT_NOT_FOUND = Kind("event-not-found", 404, "No event has this position yet.")
PROJECTION_NOT_FOUND = Kind("projection-not-found", 404, "No projection has this name.")
KEY_NOT_FOUND = Kind("key-not-found", 404, "No API key has this id, or it was revoked.")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "The resource does not support this method. See `Allow`.")
BODY_TIMEOUT = Kind("body-timeout", 408, "The request body took too long to arrive.")
ITEM_NOT_DELETED = Kind("item-not-deleted", 409, "The item is not deleted. Only a deleted item can be restored.")
REBUILD_RUNNING = Kind("rebuild-running", 409, "The projection is already being rebuilt.")
REBUILD_NOT_RUNNING = Kind("rebuild-not-running", 409, "The projection is not being rebuilt.")
KEY_ENDED = Kind("key-ended", 409, "The API key has expired or was already rotated.")
KEY_NAME_TAKEN = Kind("key-name-taken", 409, "An active API key with this name already exists. Rotate it instead.")
PRECONDITION_FAILED = Kind("precondition-failed", 412, "`If-Match` does not name the item's current version.")
BODY_TOO_LARGE = Kind("body-too-large", 413, "The request body is too large.")
UNSUPPORTED_MEDIA_TYPE = Kind(
    "unsupported-media-type",
    415,
    "The body must be JSON, not compressed, and `Content-Type` must say so. See `Accept-Post` or `Accept-Patch`.",
)
EXPECTATION_FAILED = Kind("expectation-failed", 417, "The only `Expect` that the service supports is `100-continue`.")
KEY_REUSED = Kind("idempotency-key-reused", 422, "The idempotency key was already used with a different request.")
INVALID_BODY = Kind("invalid-body", 422, "The body is not JSON, or does not match the schema. See `errors`.")
QUOTA_EXCEEDED = Kind("quota-exceeded", 429, "Rate limit exceeded. The request was not processed.", 1)
INTERNAL = Kind("internal-error", 500, "An internal error. The service's log has it under `request_id`.")
LOG_CHANGED = Kind("log-changed", 500, "The log was modified outside the service, so this cannot be shown or proven.")
ISSUER_UNAVAILABLE = Kind(
    "issuer-unavailable", 503, "The issuer's signing keys are unavailable, so access tokens cannot be verified.", 5
)
POSITION_NOT_REACHED = Kind(
    "position-not-reached", 503, "The server has not reached the requested `min_position` yet.", 1
)
PROJECTION_NOT_READY = Kind(
    "projection-not-ready",
    503,
    "A table is not built yet, or lacks a column that the request needs. See `detail`.",
    5,
)
CLOCK_JUMP = Kind("clock-jump", 503, "The server's clock ran far ahead. Nothing was written; reads still work.", 60)
OVERLOADED = Kind("overloaded", 503, "Too many writes are waiting. Nothing was written; retry later.", 1)
BUSY = Kind("busy", 503, "The server is at capacity. The request was not processed; retry later.", 1)
REQUEST_LOG_UNAVAILABLE = Kind(
    "request-log-unavailable", 503, "The request log cannot be written, and this request must be logged.", 5
)
TOO_MANY_STREAMS = Kind("too-many-streams", 503, "The server has reached its limit of open streams.", 5)
STOPPING = Kind("stopping", 503, "The server is stopping. Nothing was changed; retry.", 1)
UNAVAILABLE = Kind("database-unavailable", 503, "The database is unavailable. Nothing was written; retry later.", 1)
OUTCOME_UNKNOWN = Kind(
    "outcome-unknown",
    503,
    "The database was lost during the commit, or the service stopped. The change may or may not have taken place.",
    5,
)
NOT_READY = Kind("not-ready", 503, "The service is not ready. See `detail`.", 1)
REBUILD_FAILED = Kind("rebuild-failed", 503, "The rebuild failed before it started. See `detail`.", 60)
STORAGE_FULL = Kind("storage-full", 507, "The database is full. Nothing was written; reads still work.")

KINDS = tuple(kind for kind in globals().values() if isinstance(kind, Kind))

#: The problem of every exception, by its class or the nearest of its bases.
BY_EXCEPTION: dict[type[BaseException], Kind] = {
    RequestValidationError: INVALID_BODY,
    commands.InvalidNameError: INVALID_BODY,
    commands.InvalidPriceError: INVALID_BODY,
    commands.ItemNotFoundError: ITEM_NOT_FOUND,
    commands.ItemNotDeletedError: ITEM_NOT_DELETED,
    commands.VersionMismatchError: PRECONDITION_FAILED,
    commands.IdempotencyKeyReusedError: KEY_REUSED,
    commands.QueueFullError: OVERLOADED,
    commands.WriterClosedError: STOPPING,
    eventstore.UnavailableError: UNAVAILABLE,
    eventstore.ReadOnlyError: UNAVAILABLE,
    eventstore.MovedFileError: UNAVAILABLE,
    eventstore.ReadersBusyError: BUSY,
    eventstore.StorageFullError: STORAGE_FULL,
    eventstore.ClockJumpError: CLOCK_JUMP,
    eventstore.OutcomeUnknownError: OUTCOME_UNKNOWN,
    eventstore.InconsistentLogError: LOG_CHANGED,
    eventstore.NewerTableError: NOT_READY,
    eventstore.UnwritableTableError: NOT_READY,
    ProjectionNotReadyError: PROJECTION_NOT_READY,
    HTTPException: INTERNAL,
    Exception: INTERNAL,
}


class Problem(Exception):  # noqa: N818  (RFC 9457's word)
    """An error response that api raises itself."""

    def __init__(
        self,
        kind: Kind,
        detail: str | None = None,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: Headers = (),
        retry_after: int | None = None,
        violated_policies: tuple[str, ...] = (),
        extra_log_fields: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail or kind.description)
        self.kind = kind
        self.errors = errors
        self.headers = headers
        self.retry_after = kind.retry_after if retry_after is None else retry_after
        self.violated_policies = violated_policies
        self.extra_log_fields = extra_log_fields  # added to the request's log line; not sent to the client


def kind_of(error: BaseException) -> Kind:
    """Return the problem type of an exception."""
    if isinstance(error, Problem):
        return error.kind
    return next(BY_EXCEPTION[base] for base in type(error).__mro__ if base in BY_EXCEPTION)


def as_problem(error: Exception) -> Problem:
    """Return the problem to send for an exception. An unexpected one reveals nothing but the request id."""
    kind = kind_of(error)
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return Problem(kind, errors=tuple(_field_error(entry["msg"]) for entry in error.errors))
        case commands.InvalidFieldError(field=field):
            return Problem(kind, str(error), errors=(FieldError(str(error), pointer=f"/{field}"),))
        case _:
            return Problem(kind, "An unexpected error occurred" if kind is INTERNAL else str(error))


def problem_response(error: Exception, request_id: str) -> HttpResponse:
    """Return the error response for an exception."""
    problem = as_problem(error)
    kind, headers = problem.kind, problem.headers
    details = ProblemDetails(
        type=f"/problems/{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=str(problem),
        code=kind.code,
        request_id=request_id,
        errors=problem.errors,
        outcome="unknown" if kind is OUTCOME_UNKNOWN else None,
        violated_policies=problem.violated_policies,
    )
    if problem.retry_after is not None:
        headers = (*headers, (b"retry-after", b"%d" % problem.retry_after))
    return HttpResponse(kind.status, msgspec.json.encode(details), ((b"content-type", MEDIA_TYPE.encode()), *headers))


_PATH = re.compile(r"(?P<detail>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"Object (?:missing required|contains unknown) field `(?P<name>.*?)`")
PLAIN_WORDS = {
    NEW_NAME_PATTERN: "Expected text that is not blank, without control, invisible or bidirectional characters",
    TEXT_PATTERN: "Expected text without control characters",
    PRICE_PATTERN: "Expected a decimal number with at most 4 fractional digits",
}


def _field_error(message: str) -> FieldError:
    """Parse a msgspec message: "Expected `int`, got `str` - at `$.a[0]`" is at the JSON Pointer /a/0."""
    match = _PATH.fullmatch(message)
    assert match is not None
    detail, path = match["detail"], match["path"] or ""
    pointer = "".join(f"/{name or index}" for name, index in _STEP.findall(path))
    if field := _FIELD.match(detail):
        pointer += "/" + field["name"].replace("~", "~0").replace("/", "~1")
    return FieldError(plain(detail), pointer=pointer)


def plain(detail: str) -> str:
    """Return a msgspec message in words where it would quote a pattern."""
    return next((words for pattern, words in PLAIN_WORDS.items() if repr(pattern) in detail), detail)
