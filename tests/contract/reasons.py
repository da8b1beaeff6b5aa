"""Hooks for schemathesis: valid data, one more check, and failures that do not count.

No check is left out. A failure is ignored only if the response depends on what a schema cannot express. Each reason
below examines the request and the response.
"""

from collections.abc import Callable
from itertools import count
from json import loads
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure, ServerError
from schemathesis.openapi.checks import RejectedPositiveData, UndefinedStatusCode, UseAfterFree

_MAX_TARGET_BYTES = 8192  # the default of ITEMLEDGER_MAX_TARGET

Answer = dict[str, Any]
AnyCase = Case[Any]

#: Headers of HTTP itself, which OpenAPI does not describe.
_MECHANICAL = {"connection", "content-length", "content-type", "date", "transfer-encoding"}


#: One in this many values that are rarely valid by chance is left as generated.
_LEFT_AS_GENERATED = 4
_calls = count(1)
#: The ids of items that were restored after they were deleted.
_restored: set[str] = set()


@schemathesis.hook
def before_call(_context: HookContext, case: AnyCase, _arguments: dict[str, Any]) -> None:
    """Make data that matches the schema valid. Otherwise most requests would be rejected, and test little."""
    # An id from a response can end up in a header, where the client library accepts only text.
    case.headers.update({name: str(value) for name, value in case.headers.items() if isinstance(value, int)})
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    if isinstance(case.body, dict | list):
        case.body = _priced(case.body)
    call = next(_calls)
    if case.operation.label == "POST /keys" and isinstance(case.body, dict) and "name" in case.body:
        case.body["name"] = f"holder-{call}"  # names are unique
    if call % _LEFT_AS_GENERATED == 0:
        return
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f'"{call}"'  # examples are sent more than once
    for name in ("cursor", "tree_size", "to"):
        case.query.pop(name, None)
    if "as_of" in case.query:
        case.query = {"as_of": call % 3}
    if "from" in case.query and case.path.startswith("/log/"):
        case.query["from"] = int(case.query["from"]) % 2
    if "position" in case.path_parameters:
        case.path_parameters["position"] = 1
    for given, name in ((case.query, "min_position"), (case.headers, "Last-Event-ID"), (_begin(case), "after")):
        if name in given:
            given[name] = type(given[name])(int(given[name]) % 2)


def _begin(case: AnyCase) -> dict[str, Any]:
    """Return the query of a stream or an export, which cannot start after the end of the log, as a list can."""
    return case.query if case.operation.label in {"GET /events/stream", "GET /events/export"} else {}


@schemathesis.hook
def after_call(_context: HookContext, case: AnyCase, response: Response) -> None:
    """Remember which items were restored."""
    if response.status_code == 204 and case.operation.label == "DELETE /items/{item_id}":
        _restored.discard(str(case.path_parameters["item_id"]))
    if response.status_code == 200 and case.operation.label == "POST /items/{item_id}/restore":
        _restored.add(str(case.path_parameters["item_id"]))


def _priced(body: Any) -> Any:
    """Return a body whose prices have at most 4 fractional digits.

    `multipleOf` in the schema could ensure it, but validators compute with binary fractions: for many of them 19.95 is
    not a multiple of 0.0001. A price as a string has a pattern, which is exact.
    """
    if isinstance(body, list):
        return [_priced(item) for item in body]
    price = body.get("price")
    return {**body, "price": round(price, 4)} if isinstance(price, float) else body


@schemathesis.check
def every_header_is_described(_context: CheckContext, response: Response, case: AnyCase) -> None:
    """Check that a response has no undescribed header."""
    described = case.operation.responses.find_by_status_code(response.status_code)
    if described is not None and case.method == case.operation.method.upper():
        more = set(response.headers) - _MECHANICAL - {name.lower() for name, _ in described.headers.items()}
        assert not more, f"headers that are not described: {sorted(more)}"


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: AnyCase, response: Response) -> bool:
    """Check whether `failure` counts."""
    answer = loads(response.content) if "json" in response.headers.get("content-type", [""])[0] else {}
    return not any(type(failure) is of and reason(case, answer, response) for of, reason in _REASONS)


def _precondition(case: AnyCase, answer: Answer, _response: Response) -> bool:
    """Check whether `If-Match` is well-formed and names another state of the item."""
    return answer.get("code") == "precondition-failed" and "If-Match" in case.headers


def _key_of_another_request(case: AnyCase, answer: Answer, _response: Response) -> bool:
    """Check whether the key is well-formed and was used before: examples are sent more than once."""
    return answer.get("code") == "idempotency-key-reused" and "Idempotency-Key" in case.headers


def _made_up_cursor(case: AnyCase, answer: Answer, _response: Response) -> bool:
    """Check whether the cursor is invented. Only cursors of the service are valid, and only with their filters."""
    if answer.get("code") != "invalid-query" or not case.query.get("cursor"):
        return False
    return [fault.get("parameter") for fault in answer.get("errors", ())] == ["cursor"]


def _hidden_character(_case: AnyCase, answer: Answer, _response: Response) -> bool:
    """Check whether a name has a joiner, selector or tag where nothing needs it, which a pattern cannot express."""
    details = [fault.get("detail", "") for fault in answer.get("errors", ())]
    return bool(details) and all(detail.startswith("The name contains U+") for detail in details)


def _size_that_the_log_never_had(_case: AnyCase, answer: Answer, _response: Response) -> bool:
    """Check whether a size is beyond the log, which a schema cannot know."""
    faulty = {fault.get("parameter") for fault in answer.get("errors", ())}
    return answer.get("code") == "invalid-query" and bool(faulty) and faulty <= {"tree_size", "from", "to"}


def _moment_of_its_own(case: AnyCase, answer: Answer, _response: Response) -> bool:
    """Check whether `as_of` is in the future, or combined with a range of versions."""
    if answer.get("code") != "invalid-query" or "as_of" not in case.query:
        return False
    [fault] = answer["errors"]
    detail = fault["detail"]
    return detail.endswith("still to come") or "does not go with" in detail


def _position_to_come(case: AnyCase, answer: Answer, response: Response) -> bool:
    """Check whether the position is in the future, which 503 with `Retry-After` reports."""
    reached = int(response.headers["log-position"][0])
    asked = (case.query.get("min_position"), _begin(case).get("after"), case.headers.get("Last-Event-ID"))
    return (
        answer.get("code") == "position-not-reached"
        and "retry-after" in response.headers
        and any(int(position) > reached for position in asked if position is not None)
    )


def _restored_since(case: AnyCase, _answer: Answer, _response: Response) -> bool:
    """Check whether the deleted item was restored."""
    return str(case.path_parameters.get("item_id")) in _restored


def _target_that_is_too_long(_case: AnyCase, _answer: Answer, response: Response) -> bool:
    """Check whether the server refused the head, which it does for every path alike and before it reads the rest."""
    url = response.request.url or ""
    return response.status_code == 414 and not response.content and len(url) > _MAX_TARGET_BYTES


_REASONS: list[tuple[type[Failure], Callable[[AnyCase, Answer, Response], bool]]] = [
    (RejectedPositiveData, _precondition),
    (RejectedPositiveData, _key_of_another_request),
    (RejectedPositiveData, _made_up_cursor),
    (RejectedPositiveData, _hidden_character),
    (RejectedPositiveData, _moment_of_its_own),
    (RejectedPositiveData, _size_that_the_log_never_had),
    (AcceptedNegativeData, _target_that_is_too_long),
    (UndefinedStatusCode, _target_that_is_too_long),
    (ServerError, _position_to_come),
    (UseAfterFree, _restored_since),
]
