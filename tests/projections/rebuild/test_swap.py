"""The last step of a rebuild holds the append lock: concurrent appends wait, and none of them is lost.

These tests were seen to fail without it. The last of them releases the lock in the middle of the step, on either
database. And with `log.lock_head` in `projections/rebuild/rebuild.py` replaced by a plain read of the head, the first
one fails on PostgreSQL: no append waited, and the rows of all of them were gone. On SQLite the transaction is the lock.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any, Literal

import pytest
from sqlalchemy import Connection
from sqlalchemy.util import await_only

from commands.batch import Recorded
from commands.item import ChangeItem, Command, CreateItem, DeleteItem, RestoreItem
from commands.writer import Writer
from eventstore.database.database import Database
from projections import PROJECTIONS
from projections.items.items import ITEMS
from projections.items.lists import Filter, Order
from projections.items.reader import ItemReader
from projections.projection import Projection
from projections.rebuild.compare import Comparison
from projections.rebuild.rebuild import Options, rebuild
from projections.rebuild.shadow import Shadow
from tests.eventstore.recording import changed, created, execute, opened, record
from tests.support import fold
from tests.support.fold import assert_log_and_projection_agree
from tests.support.rebuilding import OF_ANOTHER_VERSION
from tests.support.writing import metadata, writing

#: Items in the log before: more than a rebuild leaves for its last step.
ITEMS_BEFORE = 600
#: Appenders and readers, each with separate connections, like other processes.
OTHERS = 3
#: How long others get in the middle of the last step; without the lock they need a tenth of it.
MEANWHILE_SECONDS = 0.5

Meeting = Callable[[], Coroutine[Any, Any, None]]


class Appender:
    """Another process that appends: a create, a change, a delete and a restore at a time."""

    def __init__(self, writer: Writer, first_item: int) -> None:
        self._writer = writer
        self._items = iter(range(first_item, first_item + 100))  # which no other appender writes to
        self._deleted = first_item
        self.waiting: list[asyncio.Task[Recorded]] = []

    async def begin(self) -> None:
        """Append once, so that there is an item to restore, and every statement is prepared."""
        self._deleted = next(self._items)
        await self._writer.submit(DeleteItem(self._deleted), metadata=metadata())
        self.append()
        await asyncio.gather(*self.waiting)

    def append(self) -> None:
        """Submit one command of each kind."""
        changes, deletes, restores = next(self._items), next(self._items), self._deleted
        self._deleted = deletes
        commands: list[Command] = [
            CreateItem("Late", Decimal(changes)),
            ChangeItem(changes, name="Late"),
            DeleteItem(deletes),
            RestoreItem(restores),
        ]
        self.waiting = [asyncio.create_task(self._writer.submit(one, metadata=metadata())) for one in commands]


class Appenders:
    """Other processes that append in the middle of the last step."""

    def __init__(self, others: list[Appender]) -> None:
        self._others = others
        self.kept_waiting = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["Appenders"]:
        """Start them."""
        async with AsyncExitStack() as stack:
            others = []
            for number in range(OTHERS):
                writer = await stack.enter_async_context(writing(await stack.enter_async_context(opened(url))))
                others.append(Appender(writer, 1 + 100 * number))
                await others[-1].begin()
            yield cls(others)

    @property
    def _waiting(self) -> list[asyncio.Task[Recorded]]:
        return [one for other in self._others for one in other.waiting]

    async def append(self) -> None:
        """Have each append, and count the appends that wait."""
        for other in self._others:
            other.append()
        _, pending = await asyncio.wait(self._waiting, timeout=MEANWHILE_SECONDS)
        self.kept_waiting = len(pending)

    async def finish(self) -> None:
        """Wait until every append is committed."""
        await asyncio.gather(*self._waiting)


async def fill(database: Database) -> None:
    """Append more events than a rebuild leaves for its last step."""
    ids = range(1, ITEMS_BEFORE + 1)
    await record(database, [*map(created, ids), *(changed(item, 2) for item in ids if item % 3 == 0)])


def interrupt(
    monkeypatch: pytest.MonkeyPatch, when: Literal["before", "after"], meeting: Meeting, *, unlocked: bool = False
) -> None:
    """Run `meeting` in the last step, before or after it has done its work; nothing is committed.

    With `unlocked` the append lock is released meanwhile, and the work up to then is committed.
    """
    loop, last_step = asyncio.get_running_loop(), Shadow.go_live

    def meet(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            await_only(meeting())
        else:  # this is the thread that writes
            asyncio.run_coroutine_threadsafe(meeting(), loop).result()

    def go_live_and_meet(shadow: Shadow, connection: Connection, comparison: Comparison | None, *, swap: bool) -> None:
        if unlocked:
            connection.exec_driver_sql("COMMIT")
        if when == "before":
            meet(connection)
        if unlocked:
            connection.exec_driver_sql("BEGIN")
        last_step(shadow, connection, comparison, swap=swap)
        if when == "after":
            meet(connection)

    monkeypatch.setattr(Shadow, "go_live", go_live_and_meet)


async def rows_lost(database: Database) -> int:
    """Count the rows, of items and of days, that differ from the log."""

    def count(connection: Connection) -> int:
        with connection.begin():
            return differing(fold.fold_of_log(connection), fold.stored_items(connection)) + differing(
                fold.days_of_log(connection), fold.stored_days(connection)
            )

    return await database.write(count)


def differing(wanted: Mapping[int, object], stored: Mapping[int, object]) -> int:
    return sum(wanted.get(key) != stored.get(key) for key in wanted.keys() | stored.keys())


#: Rows that only a rebuild corrects: the key of one row, which no appender changes.
WRONG = {"items": "id = 400", "activity": "day = 0", "item_versions": "valid_to = 700"}


@pytest.mark.parametrize(("swapped", "when"), [(True, "before"), (True, "after"), (False, "before"), (False, "after")])
@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
async def test_appends_during_the_last_step_wait_and_none_is_lost(
    database: Database,
    database_url: str,
    projection: Projection,
    swapped: bool,
    when: Literal["before", "after"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await fill(database)
    await execute(database, f"DELETE FROM {projection.name} WHERE {WRONG[projection.name]}")
    if swapped:
        await execute(database, *OF_ANOTHER_VERSION)
    async with Appenders.to(database_url) as others:
        interrupt(monkeypatch, when, others.append)
        report = await rebuild(database, projection, Options())
        await others.finish()
    assert (report.rows_differ, report.swapped, report.rows_corrected) == (1, swapped, not swapped), report.samples
    assert await rows_lost(database) == 0
    assert others.kept_waiting == 4 * OTHERS
    await assert_log_and_projection_agree(database)


async def test_reads_during_a_swap_return_the_whole_table(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database)
    async with AsyncExitStack() as stack:
        readers = [ItemReader(await stack.enter_async_context(opened(database_url))) for _ in range(OTHERS)]

        async def read(reader: ItemReader) -> None:
            page = await reader.page(Filter(), Order(), None, 1000)
            assert [item.id for item in page.items] == list(range(1, ITEMS_BEFORE + 1))
            position, _, item = await reader.get(ITEMS_BEFORE)
            assert item is not None
            assert page.position == position == ITEMS_BEFORE * 4 // 3

        reading: list[asyncio.Task[None]] = []

        async def begin_reading() -> None:
            # One reader has statements that were prepared for the old table; the others are new.
            reading.extend(asyncio.create_task(read(reader)) for reader in readers)
            await asyncio.wait(reading, timeout=MEANWHILE_SECONDS)

        await read(readers[0])
        await execute(database, *OF_ANOTHER_VERSION)
        interrupt(monkeypatch, "after", begin_reading)
        await rebuild(database, ITEMS, Options())
        await asyncio.gather(*reading)
        for reader in readers:
            await read(reader)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
async def test_without_the_lock_concurrent_appends_would_be_lost(
    database: Database, database_url: str, projection: Projection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database)
    await execute(database, *OF_ANOTHER_VERSION)
    async with Appenders.to(database_url) as others:
        interrupt(monkeypatch, "before", others.append, unlocked=True)
        await rebuild(database, projection, Options())
        await others.finish()
    assert others.kept_waiting == 0
    # Of items each event changes a row; all of them are on one day; and states that have just begun have no row yet.
    lost = {"items": 4 * OTHERS, "activity": 1, "item_versions": 0}
    assert await rows_lost(database) == lost[projection.name]
