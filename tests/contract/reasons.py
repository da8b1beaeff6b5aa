"""What schemathesis is told beyond the document: data that can be right, a check of its own, complaints that are none.

No check is left out. A complaint is dropped where the answer depends on what no schema can say, and only there: each
reason below looks at the very request and answer.
"""

from collections.abc import Callable
from itertools import count
from json import loads
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.failures import Failure, ServerError
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

Answer = dict[str, Any]
AnyCase = Case[Any]

#: HTTP's own, of which OpenAPI says nothing.
_MECHANICAL = {"connection", "content-length", "content-type", "date", "transfer-encoding"}


#: Of what can hardly be right by chance one in so many is left wrong, or as the example has it.
_LEFT = 4
_calls = count(1)
#: The ids of items that were restored after they were deleted.
_restored: set[str] = set()


@schemathesis.hook
def before_call(_context: HookContext, case: AnyCase, _arguments: dict[str, Any]) -> None:
    """Make data right that keeps to the schema: else most requests would be rejected, and tell little."""
    # An id out of an answer may be put into a header; the client library takes only text there.
    case.headers.update({name: str(value) for name, value in case.headers.items() if isinstance(value, int)})
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    if isinstance(case.body, dict | list):
        case.body = _priced(case.body)
    call = next(_calls)
    if case.operation.label == "POST /keys" and isinstance(case.body, dict) and "name" in case.body:
        case.body["name"] = f"holder-{call}"  # a name has one holder
    if call % _LEFT == 0:
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
    """Give the query of a stream or an export, which can't begin behind the log's end, as a list can."""
    return case.query if case.operation.label in {"GET /events/stream", "GET /events/export"} else {}


@schemathesis.hook
def after_call(_context: HookContext, case: AnyCase, response: Response) -> None:
    """Remember which items are back."""
    if response.status_code == 204 and case.operation.label == "DELETE /items/{item_id}":
        _restored.discard(str(case.path_parameters["item_id"]))
    if response.status_code == 200 and case.operation.label == "POST /items/{item_id}/restore":
        _restored.add(str(case.path_parameters["item_id"]))


def _priced(body: Any) -> Any:
    """Give a body with no price between ten-thousandths.

    `multipleOf` would keep them away, but validators reckon with binary fractions: to many of them 19.95 is no multiple
    of 0.0001. As a string a price has a pattern, which is exact.
    """
    if isinstance(body, list):
        return [_priced(item) for item in body]
    price = body.get("price")
    return {**body, "price": round(price, 4)} if isinstance(price, float) else body


@schemathesis.check
def every_header_is_described(_context: CheckContext, response: Response, case: AnyCase) -> None:
    """An answer has no header that its description does not have."""
    described = case.operation.responses.find_by_status_code(response.status_code)
    if described is not None and case.method == case.operation.method.upper():
        more = set(response.headers) - _MECHANICAL - {name.lower() for name, _ in described.headers.items()}
        assert not more, f"headers that are not described: {sorted(more)}"


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: AnyCase, response: Response) -> bool:
    """Tell whether `failure` counts."""
    answer = loads(response.content) if "json" in response.headers.get("content-type", [""])[0] else {}
    return not any(type(failure) is of and reason(case, answer, response) for of, reason in _REASONS)


def _precondition(case: AnyCase, answer: Answer, _response: Response) -> bool:
    """`If-Match` is rightly formed, and names another state than the item's."""
    return answer.get("code") == "precondition-failed" and "If-Match" in case.headers


def _key_of_another_request(case: AnyCase, answer: Answer, _response: Response) -> bool:
    """The key is rightly formed, and was used before: examples are sent more than once."""
    return answer.get("code") == "idempotency-key-reused" and "Idempotency-Key" in case.headers


def _made_up_cursor(case: AnyCase, answer: Answer, _response: Response) -> bool:
    """Only a cursor that the service gave is one, and only with the filters that it was given for."""
    if answer.get("code") != "invalid-query" or not case.query.get("cursor"):
        return False
    return [fault.get("parameter") for fault in answer.get("errors", ())] == ["cursor"]


def _size_that_the_log_never_had(_case: AnyCase, answer: Answer, _response: Response) -> bool:
    """How long the log is, and where an event is in it, no schema can say."""
    faulty = {fault.get("parameter") for fault in answer.get("errors", ())}
    return answer.get("code") == "invalid-query" and bool(faulty) and faulty <= {"tree_size", "from", "to"}


def _moment_of_its_own(case: AnyCase, answer: Answer, _response: Response) -> bool:
    """`as_of` is still to come, or asks for one item's state where a part of its versions is asked for as well."""
    if answer.get("code") != "invalid-query" or "as_of" not in case.query:
        return False
    [fault] = answer["errors"]
    detail = fault["detail"]
    return detail.endswith("still to come") or "does not go with" in detail


def _position_to_come(case: AnyCase, answer: Answer, response: Response) -> bool:
    """A state is asked for that is not there yet: 503 with `Retry-After` says so, as it is described."""
    reached = int(response.headers["log-position"][0])
    asked = (case.query.get("min_position"), _begin(case).get("after"), case.headers.get("Last-Event-ID"))
    return (
        answer.get("code") == "position-not-reached"
        and "retry-after" in response.headers
        and any(int(position) > reached for position in asked if position is not None)
    )


def _restored_since(case: AnyCase, _answer: Answer, _response: Response) -> bool:
    """What was deleted is there again, since it was restored."""
    return str(case.path_parameters.get("item_id")) in _restored


_REASONS: list[tuple[type[Failure], Callable[[AnyCase, Answer, Response], bool]]] = [
    (RejectedPositiveData, _precondition),
    (RejectedPositiveData, _key_of_another_request),
    (RejectedPositiveData, _made_up_cursor),
    (RejectedPositiveData, _moment_of_its_own),
    (RejectedPositiveData, _size_that_the_log_never_had),
    (ServerError, _position_to_come),
    (UseAfterFree, _restored_since),
]
