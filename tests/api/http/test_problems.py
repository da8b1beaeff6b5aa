"""What clients are told when something fails: the table of `problems.py`, and nothing of what is inside."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from FasterAPI import HTTPException
from sqlalchemy.exc import IntegrityError
from structlog.testing import CapturingLogger

from api.edge import exchange
from api.http import problems
from api.settings import SettingsError
from api.startup import StartError
from commands import errors as commands
from eventstore import errors as eventstore
from projections.live import CheckpointError
from tests.support.clients.http import JSON, call, check_problem, part, unchanged_log
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORESEEN = {
    commands.QueueFullError: (503, "overloaded", True),
    commands.WriterClosedError: (503, "stopping", True),
    eventstore.UnavailableError: (503, "database-unavailable", True),
    eventstore.StorageFullError: (507, "storage-full", False),
    eventstore.OutcomeUnknownError: (503, "outcome-unknown", True),
}
#: These never mean anything to a client: at start they end the process, in the log they are our fault, and commands of
#: the shell tell operators and auditors.
OURS = {
    eventstore.UnsafeDatabaseError,
    eventstore.UnsupportedDatabaseError,
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
    eventstore.DamagedCopyError,
}
BASES = {commands.CommandError, commands.CommandRejectedError, eventstore.EventStoreError}
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
    CheckpointError("secret"),
    StartError("secret"),
    SettingsError("secret"),
    eventstore.UnknownEventTypeError(7, "secret"),
    eventstore.CorruptEventError(7, "secret", "secret"),
    ExceptionGroup("secret", [ValueError("secret")]),
]


@pytest.fixture
def fail(shared: InProcess, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Make every command and every look-up fail."""

    def arrange(error: Exception) -> None:
        async def raise_it(*_: object, **__: object) -> Any:
            raise error

        monkeypatch.setattr(shared.services.writer, "submit", raise_it)
        monkeypatch.setattr(shared.services.items, "get", raise_it)
        monkeypatch.setattr(shared.services.items, "page", raise_it)

    return arrange


async def ask_all(service: InProcess) -> list[Any]:
    return [
        await service.client.post("/items", json={"name": "Pen", "price": 1}),
        await service.client.delete("/items/1"),
        await service.client.get("/items/1"),
        await service.client.get("/items"),
    ]


@pytest.mark.parametrize("kind", FORESEEN, ids=lambda kind: kind.__name__)
async def test_a_failure_that_was_foreseen_is_told_as_what_it_is(
    shared: InProcess, fail: Callable[[Exception], None], monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    status, code, again = FORESEEN[kind]
    lines = CapturingLogger()
    monkeypatch.setattr(exchange, "log", lines)
    fail(kind())
    for answer in (await ask_all(shared))[:2]:
        problem = check_problem(answer, status, code)
        assert ("retry-after" in answer.headers) is again
        assert int(answer.headers.get("retry-after", "1")) >= 1
        # A client that does not know may repeat only what it marked; one that does know must not be unsettled.
        assert problem.get("outcome") == ("unknown" if code == "outcome-unknown" else None)
    assert "error" not in {call.method_name for call in lines.calls}, "a fault of ours was logged"


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
async def test_an_unexpected_failure_is_told_by_its_request_id_alone_and_logged_whole(
    shared: InProcess, fail: Callable[[Exception], None], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(exchange, "log", lines)
    fail(error)
    async with unchanged_log(shared.services.database):
        answers = await ask_all(shared)
    for answer in answers:
        check_problem(answer, 500, "internal-error")
        assert "secret" not in answer.text + str(answer.headers)
    logged = [call.kwargs for call in lines.calls if call.method_name == "error"]
    assert [line["exc_info"] for line in logged] == [error] * len(answers)
    assert [line["request_id"] for line in logged] == [answer.headers["x-request-id"] for answer in answers]
    assert [call.kwargs["status"] for call in lines.calls if call.args == ("request",)] == [500] * len(answers)


async def test_every_error_of_the_inner_rooms_is_a_problem_or_known_to_be_ours() -> None:
    errors: set[type[Exception]] = {
        error
        for module in (commands, eventstore)
        for _, error in inspect.getmembers(module, inspect.isclass)
        if issubclass(error, Exception) and error.__module__ == module.__name__
    }
    assert set(FORESEEN) | OURS | BASES <= errors
    told = {error for error in errors if error in problems.BY_EXCEPTION}
    assert told == errors - OURS - BASES
    assert all(problems.BY_EXCEPTION[error] is not problems.INTERNAL for error in told)
    assert all(problems.kind_of(error.__new__(error)) is problems.INTERNAL for error in errors - told)


@pytest.mark.parametrize("kind", problems.KINDS, ids=lambda kind: kind.code)
async def test_every_kind_of_problem_describes_itself_where_its_type_points(
    shared: InProcess, kind: problems.Kind
) -> None:
    answer = await shared.client.get(f"/problems/{kind.code}")
    assert answer.json() == {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "description": kind.description,
    }
    assert kind.description.strip()
    assert 400 <= kind.status <= 599


async def test_no_two_kinds_of_problem_have_one_code() -> None:
    assert len({kind.code for kind in problems.KINDS}) == len(problems.KINDS) > 10


async def test_a_write_that_a_stop_gives_up_waiting_for_has_an_unknown_outcome(
    shared: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(shared.services.writer, "submit", never)
    sending = asyncio.create_task(
        call(shared.app, "POST", "/items", part(b'{"name":"a","price":1}'), headers=list(JSON.items()))
    )
    await waiting.wait()
    sending.cancel()  # as the server does with what still runs when its patience is over
    answer = await sending
    assert answer is not None
    check_problem(answer, 503, "outcome-unknown")
    assert answer.json()["outcome"] == "unknown"
