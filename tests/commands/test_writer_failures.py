"""Commands when the database fails: before a commit, during it, or permanently."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, RootTransaction

from commands import writer as writer_module
from commands.batch import Recorded
from commands.errors import ItemNotFoundError
from commands.item import DeletedItem, DeleteItem, LiveItem
from eventstore.database.database import Database
from eventstore.errors import OutcomeUnknownError, UnavailableError
from eventstore.log import unit_of_work
from eventstore.log.unit_of_work import UnitOfWork
from tests.commands.test_writer import events
from tests.support.fold import assert_log_and_projection_agree
from tests.support.writing import create, metadata, writing


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_RETRY_PAUSES_SECONDS", (0, 0, 0))


def failing(times: int, act: Callable[[RootTransaction], None]) -> Callable[[RootTransaction], None]:
    """Return a `commit` that first acts and then fails `times` times, as if the connection broke around COMMIT."""
    left = times

    def commit(transaction: RootTransaction) -> None:
        nonlocal left
        if left:
            left -= 1
            act(transaction)
            raise OutcomeUnknownError
        transaction.commit()

    return commit


class Tries:
    """Fails writes to a database with the error that `error_at` returns for each try's number, and counts the tries."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, database: Database, error_at: Callable[[int], Exception | None]
    ) -> None:
        self.count = 0
        self._write = database.write
        self._error_at = error_at
        monkeypatch.setattr(database, "write", self._try)

    async def _try(self, work: Callable[[Connection], Any]) -> Any:
        self.count += 1
        if error := self._error_at(self.count):
            raise error
        return await self._write(work)


took_place = pytest.mark.parametrize("act", [RootTransaction.commit, RootTransaction.rollback], ids=["took", "failed"])


@took_place
async def test_an_unknown_outcome_is_resolved_to_one_effect(
    database: Database, monkeypatch: pytest.MonkeyPatch, act: Callable[[RootTransaction], None]
) -> None:
    async with writing(database) as writer:
        first = await create(writer, "Ink")
        monkeypatch.setattr(unit_of_work, "commit", failing(2, act))
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

        def commit_then_lose(transaction: RootTransaction) -> None:
            transaction.commit()

        monkeypatch.setattr(unit_of_work, "commit", failing(1, commit_then_lose))
        write, tries = database.write, 0

        async def deleting_meanwhile(work: Any) -> Any:
            nonlocal tries
            tries += 1
            if tries == 2:
                monkeypatch.setattr(database, "write", write)
                await other.submit(DeleteItem(1), metadata=metadata())
            return await write(work)

        monkeypatch.setattr(database, "write", deleting_meanwhile)
        created = await create(writer)
    assert (created.item_id, created.position) == (1, 1)
    assert isinstance(created.item, LiveItem)
    assert await events(database) == 2
    await assert_log_and_projection_agree(database)


async def test_a_commit_found_in_the_log_is_looked_up_again_if_that_try_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "commit", failing(1, RootTransaction.commit))
    record, tries = UnitOfWork.record, 0

    def failing_the_second_time(*given: Any, **named: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 2:
            raise UnavailableError
        return record(*given, **named)

    monkeypatch.setattr(UnitOfWork, "record", failing_the_second_time)
    async with writing(database) as writer:
        created = await create(writer)
    assert (created.item_id, created.position, tries) == (1, 1, 3)
    assert await events(database) == 1


@took_place
async def test_an_outcome_that_stays_unknown_is_reported_as_unknown(
    database: Database, monkeypatch: pytest.MonkeyPatch, act: Callable[[RootTransaction], None]
) -> None:
    monkeypatch.setattr(unit_of_work, "commit", failing(1, act))
    tries = Tries(monkeypatch, database, lambda count: UnavailableError() if count > 1 else None)
    async with writing(database) as writer:
        with pytest.raises(OutcomeUnknownError):
            await create(writer)
    assert tries.count == 4


async def test_an_unknown_outcome_is_not_hidden_by_another_error(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "commit", failing(1, RootTransaction.commit))
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
    monkeypatch.setattr(unit_of_work, "commit", failing(1, RootTransaction.commit))
    Tries(monkeypatch, database, lambda count: RuntimeError("poison") if count == 2 else None)
    async with writing(database) as writer:
        recorded = await asyncio.gather(*(create(writer) for _ in range(5)))
    assert [one.position for one in recorded] == [1, 2, 3, 4, 5]
    assert await events(database) == 5
