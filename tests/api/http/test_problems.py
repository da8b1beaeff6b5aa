"""Errors as problems: clients get those of the table in `problems.py`, and no internals."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from FasterAPI import HTTPException
from sqlalchemy.exc import IntegrityError

from api.http import problems
from api.settings import SettingsError
from api.startup import StartError
from commands import errors as commands
from eventstore import errors as eventstore
from tests.api.conftest import RequestLogs
from tests.support.clients.http import JSON, call, check_problem, part, unchanged_log
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXPECTED = {
    commands.QueueFullError: (503, "overloaded", True),
    commands.WriterClosedError: (503, "stopping", True),
    eventstore.UnavailableError: (503, "database-unavailable", True),
    eventstore.StorageFullError: (507, "storage-full", False),
    eventstore.OutcomeUnknownError: (503, "outcome-unknown", True),
}
#: Never a problem of their own for a client: they end the process at start, are internal errors, or are reported by the
#: command line.
INTERNAL = {
    eventstore.WriteFailedError,
    eventstore.UnsafeDatabaseError,
    eventstore.UnsupportedDatabaseError,
    eventstore.UnsupportedEncodingError,
    eventstore.LinkedFileError,
    eventstore.AlreadyServedError,
    eventstore.UnknownEventTypeError,
    eventstore.CorruptEventError,
    eventstore.EventTypesError,
    eventstore.OldEventTypeError,
    eventstore.UnreadableLogError,
    eventstore.LockHeldError,
    eventstore.MissingEventsError,
    eventstore.NotEmptyError,
    eventstore.TamperedError,
    eventstore.ProofError,
    eventstore.NoBackupError,
    eventstore.ObstacleError,
    eventstore.DamagedCopyError,
}
BASES = {
    commands.CommandError,
    commands.CommandRejectedError,
    commands.InvalidFieldError,
    eventstore.EventStoreError,
    eventstore._ReasonError,
}
UNEXPECTED = [
    RuntimeError("secret"),
    KeyError("secret"),
    RecursionError("secret"),
    MemoryError("secret"),
    AssertionError("secret"),
    TimeoutError("secret"),
    UnicodeDecodeError("utf-8", b"secret", 0, 1, "secret"),
    HTTPException(418, "secret"),
    IntegrityError("INSERT INTO secret", {}, Exception("secret")),
    StartError("secret"),
    SettingsError("secret"),
    eventstore.UnknownEventTypeError(7, "secret"),
    eventstore.CorruptEventError(7, "secret", "secret"),
    ExceptionGroup("secret", [ValueError("secret")]),
]


@pytest.fixture
def fail(shared_on_sqlite: InProcess, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Make every command and every look-up fail."""

    def arrange(error: Exception) -> None:
        async def raise_it(*_: object, **__: object) -> Any:
            raise error

        monkeypatch.setattr(shared_on_sqlite.services.writer, "submit", raise_it)
        monkeypatch.setattr(shared_on_sqlite.services.items, "get", raise_it)
        monkeypatch.setattr(shared_on_sqlite.services.items, "page", raise_it)

    return arrange


async def ask_all(service: InProcess) -> list[Any]:
    return [
        await service.client.post("/items", json={"name": "Pen", "price": 1}),
        await service.client.delete("/items/1"),
        await service.client.get("/items/1"),
        await service.client.get("/items"),
    ]


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
async def test_an_expected_failure_has_its_own_problem(
    shared_on_sqlite: InProcess, fail: Callable[[Exception], None], request_logs: RequestLogs, kind: type[Exception]
) -> None:
    status, code, again = EXPECTED[kind]
    fail(kind())
    for answer in (await ask_all(shared_on_sqlite))[:2]:
        problem = check_problem(answer, status, code)
        assert ("retry-after" in answer.headers) is again
        assert int(answer.headers.get("retry-after", "1")) >= 1
        # Only an unknown outcome is marked: a client then retries with its idempotency key.
        assert problem.get("outcome") == ("unknown" if code == "outcome-unknown" else None)
    assert "error" not in {call.method_name for call in request_logs.log.calls}, "an internal error was logged"


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
async def test_an_unexpected_failure_reveals_its_request_id_alone_and_is_logged(
    shared_on_sqlite: InProcess, fail: Callable[[Exception], None], request_logs: RequestLogs, error: Exception
) -> None:
    fail(error)
    async with unchanged_log(shared_on_sqlite.services.database):
        answers = await ask_all(shared_on_sqlite)
    for answer in answers:
        check_problem(answer, 500, "internal-error")
        assert "secret" not in answer.text + str(answer.headers)
    logged = [call.kwargs for call in request_logs.log.calls if call.method_name == "error"]
    assert [line["exc_info"] for line in logged] == [error] * len(answers)
    assert [line["request_id"] for line in logged] == [answer.headers["x-request-id"] for answer in answers]
    assert [call.kwargs["status"] for call in request_logs.log.calls if call.args == ("request",)] == [500] * len(
        answers
    )


async def test_every_error_of_the_inner_rooms_is_a_problem_or_internal() -> None:
    errors: set[type[Exception]] = {
        error
        for module in (commands, eventstore)
        for _, error in inspect.getmembers(module, inspect.isclass)
        if issubclass(error, Exception) and error.__module__ == module.__name__
    }
    assert set(EXPECTED) | INTERNAL | BASES <= errors
    mapped = {error for error in errors if error in problems.BY_EXCEPTION}
    assert mapped == errors - INTERNAL - BASES
    assert all(problems.BY_EXCEPTION[error] is not problems.INTERNAL for error in mapped)
    assert all(problems.kind_of(error.__new__(error)) is problems.INTERNAL for error in errors - mapped)


@pytest.mark.parametrize("kind", problems.KINDS, ids=lambda kind: kind.code)
async def test_every_problem_type_is_described_at_its_uri(shared_on_sqlite: InProcess, kind: problems.Kind) -> None:
    answer = await shared_on_sqlite.client.get(f"/problems/{kind.code}")
    assert answer.json() == {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "description": kind.description,
    }
    assert kind.description.strip()
    assert 400 <= kind.status <= 599


async def test_codes_are_unique() -> None:
    assert len({kind.code for kind in problems.KINDS}) == len(problems.KINDS) > 10


async def test_a_write_that_a_stop_cancels_has_an_unknown_outcome(
    shared_on_sqlite: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(shared_on_sqlite.services.writer, "submit", never)
    sending = asyncio.create_task(
        call(shared_on_sqlite.app, "POST", "/items", part(b'{"name":"a","price":1}'), headers=list(JSON.items()))
    )
    await waiting.wait()
    sending.cancel()  # as uvicorn does when its graceful shutdown times out
    answer = await sending
    assert answer is not None
    check_problem(answer, 503, "outcome-unknown")
    assert answer.json()["outcome"] == "unknown"
