"""Commands when the database fails: before a commit, during it, or permanently."""

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from commands import writer as writer_module
from commands.batch import Recorded, decide_batch
from commands.errors import ItemNotFoundError, WriterClosedError
from commands.item import CreateItem, DeleteItem
from commands.writer import Writer
from eventstore.database.database import Database
from eventstore.errors import NewerTableError, OutcomeUnknownError, UnavailableError, WriteFailedError
from eventstore.item import DeletedItem, LiveItem
from tests.commands.test_writer import events, log_locked
from tests.eventstore.recording import execute, opened
from tests.support.fold import assert_log_and_projection_agree
from tests.support.writing import create, lose_commits, metadata, writing


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_RETRY_PAUSES_SECONDS", (0, 0, 0))


class BrokenError(Exception):
    """Raised by a test."""


class Tries:
    """Fails writes to a database with the error that `error_at` returns for each try's number, and counts the tries."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, database: Database, error_at: Callable[[int], Exception | None]
    ) -> None:
        self.count = 0
        self._append = database.append
        self._error_at = error_at
        monkeypatch.setattr(database, "append", self._try)

    async def _try(self, *arguments: Any, **options: Any) -> Any:
        self.count += 1
        if error := self._error_at(self.count):
            raise error
        return await self._append(*arguments, **options)


took_place = pytest.mark.parametrize("committed", [True, False], ids=["took place", "failed"])


@took_place
async def test_an_unknown_outcome_is_resolved_to_one_effect(
    database: Database, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    async with writing(database) as writer:
        first = await create(writer, "Ink")
        lose_commits(monkeypatch, database, 2, committed=committed)
        outcomes: Any = await asyncio.gather(
            create(writer, "Pen"),
            writer.submit(DeleteItem(first.item_id), metadata=metadata()),
            writer.submit(DeleteItem(first.item_id), metadata=metadata()),
            create(writer, "Nib"),
            return_exceptions=True,
        )
    pen, deleted, again, nib = outcomes
    assert (pen.item_id, pen.position, pen.item.name) == (2, 2, "Pen")
    assert isinstance(pen.item, LiveItem)
    assert (deleted.item_id, deleted.position) == (1, 3)
    assert isinstance(deleted.item, DeletedItem)
    assert isinstance(again, ItemNotFoundError)
    assert (nib.item_id, nib.position, nib.item.name) == (4, 4, "Nib")
    assert await events(database) == 4
    await assert_log_and_projection_agree(database)


async def test_a_result_found_in_the_log_belongs_to_its_own_command(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process deleted the item meanwhile: the creation still returns the item that it created."""
    async with writing(database) as other, writing(database) as writer:
        lose_commits(monkeypatch, database, 1, committed=True)
        append, tries = database.append, 0

        async def deleting_meanwhile(*arguments: Any, **options: Any) -> Any:
            nonlocal tries
            tries += 1
            if tries == 2:
                monkeypatch.setattr(database, "append", append)
                await other.submit(DeleteItem(1), metadata=metadata())
            return await append(*arguments, **options)

        monkeypatch.setattr(database, "append", deleting_meanwhile)
        created = await create(writer)
    assert (created.item_id, created.position) == (1, 1)
    assert isinstance(created.item, LiveItem)
    assert await events(database) == 2
    await assert_log_and_projection_agree(database)


async def test_a_commit_found_in_the_log_is_looked_up_again_if_that_try_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_commits(monkeypatch, database, 1, committed=True)
    decide, tries = decide_batch, 0

    def failing_the_second_time(*given: Any) -> Any:
        nonlocal tries
        tries += 1
        decided = decide(*given)
        if tries == 2:
            raise UnavailableError
        return decided

    monkeypatch.setattr(writer_module, "decide_batch", failing_the_second_time)
    async with writing(database) as writer:
        created = await create(writer)
    assert (created.item_id, created.position, tries) == (1, 1, 3)
    assert await events(database) == 1


@took_place
async def test_an_outcome_that_stays_unknown_is_reported_as_unknown(
    database: Database, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    lose_commits(monkeypatch, database, 1, committed=committed)
    tries = Tries(monkeypatch, database, lambda count: UnavailableError() if count > 1 else None)
    async with writing(database) as writer:
        with pytest.raises(OutcomeUnknownError):
            await create(writer)
    assert tries.count == 4


async def test_an_unknown_outcome_is_not_hidden_by_another_error(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_commits(monkeypatch, database, 1, committed=True)
    Tries(monkeypatch, database, lambda count: RuntimeError("before the log was asked") if count > 1 else None)
    async with writing(database) as writer:
        with pytest.raises(OutcomeUnknownError):
            await create(writer)


async def test_an_outage_fails_all_waiting_submissions_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = Tries(monkeypatch, database, lambda _: UnavailableError())
    async with writing(database, max_batch=1) as writer:
        answers = await asyncio.gather(*(create(writer) for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnavailableError}
    assert tries.count == 4


@pytest.mark.parametrize(("failures", "outcome"), [(3, Recorded), (4, UnavailableError)])
async def test_a_transient_failure_is_retried_a_limited_number_of_times(
    database: Database, monkeypatch: pytest.MonkeyPatch, failures: int, outcome: type
) -> None:
    Tries(monkeypatch, database, lambda count: UnavailableError() if count <= failures else None)
    async with writing(database) as writer:
        (answer,) = await asyncio.gather(create(writer), return_exceptions=True)
        assert isinstance(answer, outcome)
        assert isinstance(await create(writer), Recorded)  # the writer lives on
    await assert_log_and_projection_agree(database)


async def test_a_poison_command_is_isolated_in_a_batch_with_an_unknown_outcome(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other submissions had been committed: run alone, they are found, not written again."""
    lose_commits(monkeypatch, database, 1, committed=True)
    Tries(monkeypatch, database, lambda count: RuntimeError("poison") if count == 2 else None)
    async with writing(database) as writer:
        recorded = await asyncio.gather(*(create(writer) for _ in range(5)))
    assert [one.position for one in recorded] == [1, 2, 3, 4, 5]
    assert await events(database) == 5


@pytest.mark.parametrize(
    ("broken_by", "expected"),
    [
        ("ALTER TABLE items RENAME TO gone", WriteFailedError),
        ("UPDATE projections SET version = 99 WHERE name = 'items'", NewerTableError),
    ],
)
async def test_an_error_of_the_whole_batch_fails_it_at_once_and_is_logged_once(
    database: Database,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken_by: str,
    expected: type[Exception],
) -> None:
    async with opened(database_url) as owner:
        await execute(owner, broken_by)
    tries = Tries(monkeypatch, database, lambda _: None)
    async with writing(database) as writer:
        outcomes = await asyncio.gather(*(create(writer) for _ in range(32)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {expected}
    assert tries.count == 1
    assert [record.levelname for record in caplog.records if record.name == "itemledger.writer"] == ["ERROR"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_that_is_lost_while_the_statement_runs_is_an_unknown_outcome_with_one_effect(
    database: Database, database_url: str
) -> None:
    running = "query LIKE 'WITH head%' AND state = 'active'"
    ended = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {running}"
    async with writing(database) as writer, opened(database_url) as other:
        await create(writer)
        async with log_locked(database):
            waiting = asyncio.create_task(create(writer, "Ink"))
            # The statement waits for the head's row.
            while not (await other.read(text(ended)))[0][0]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        recorded = await waiting
    assert (recorded.position, recorded.replayed) == (2, False)
    assert await events(database) == 2


async def test_a_writer_that_fails_answers_what_waits_and_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = 0

    def count() -> None:
        nonlocal failed
        failed += 1

    async def broken(*_: object) -> None:
        await asyncio.sleep(0)
        raise BrokenError("a fault of the writer itself")

    async with writing(database, max_batch=1, max_bulk=2, failed=count) as writer:
        await create(writer)
        monkeypatch.setattr(Writer, "_commit", broken)
        bulk = writer.submit(*[CreateItem("Pen", Decimal(1))] * 2, metadata=metadata())
        outcomes = await asyncio.gather(*(create(writer) for _ in range(5)), bulk, return_exceptions=True)
        kinds = Counter(type(outcome) for outcome in outcomes)
        assert kinds == {OutcomeUnknownError: 1, WriterClosedError: 5}
        assert not writer.alive
        with pytest.raises(WriterClosedError):
            await create(writer)
    assert failed == 1
    (record,) = (record for record in caplog.records if record.name == "itemledger.writer")
    assert record.exc_info
    assert await events(database) == 1
