"""A command costs the same however long the stream of its item is. The work is counted, not timed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from msgspec import UNSET, Struct
from sqlalchemy import Connection, text

from commands.batch import SNAPSHOT_EVERY_EVENTS, Recorded
from commands.item import ChangeItem, Command, DeleteItem, RestoreItem
from commands.writer import Writer
from eventstore.database.database import Database
from eventstore.events import Metadata
from eventstore.item import DeletedItem, LiveItem
from projections.items.items import ITEMS, ItemView
from projections.items.reader import ItemReader
from tests.support.fold import assert_log_and_projection_agree
from tests.support.writing import create, metadata, writing

CHANGES = 10_000
#: An early change, sent with a key.
KEYED = 5
#: The number of commands from one snapshot to the next.
ROUND = SNAPSHOT_EVERY_EVENTS

_READ_ROWS = text(
    "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables) + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
)


class Work(Struct):
    """The work of the database."""

    amount: int = 0


@asynccontextmanager
async def measured(database: Database) -> AsyncIterator[Work]:
    """Count the work of the write connection in the block.

    On SQLite these are steps of the virtual machine, on PostgreSQL the rows read from tables and indexes.
    """
    work = Work()
    if database.url.get_backend_name() == "postgresql":
        before = await _rows(database)
        yield work
        work.amount = await _rows(database) - before
        return

    def step() -> None:
        work.amount += 1

    await database.write(lambda connection: _watch(connection, step))
    yield work
    await database.write(lambda connection: _watch(connection, None))


def _watch(connection: Connection, step: Callable[[], None] | None) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.set_progress_handler(step, 1)


async def _rows(database: Database) -> int:
    def count(connection: Connection) -> int:
        with connection.begin():
            connection.execute(text("SELECT pg_stat_force_next_flush()"))  # when this transaction ends
        with connection.begin():
            return int(connection.execute(_READ_ROWS).scalar_one())

    return await database.write(count)


async def _one_by_one(database: Database, writer: Writer, commands: Sequence[Command]) -> int:
    """Run commands, each in a transaction of its own; return their total work."""
    async with measured(database) as work:
        for command in commands:
            await writer.submit(command, metadata=metadata())
    assert work.amount > 0
    return work.amount


def _changes(item_id: int) -> list[Command]:
    return [ChangeItem(item_id, price=Decimal(number)) for number in range(1, ROUND + 1)]


def _returns(item_id: int) -> list[Command]:
    return [DeleteItem(item_id), RestoreItem(item_id)] * (ROUND // 2)


async def _change_often(writer: Writer, item_id: int) -> list[Recorded]:
    """Change an item many times, as concurrent clients do; each change sets another price."""

    def submit(number: int) -> asyncio.Task[Recorded]:
        command = ChangeItem(item_id, price=Decimal(1_000 + number))
        keyed = number == KEYED
        told = Metadata("key") if keyed else metadata()
        return asyncio.create_task(writer.submit(command, metadata=told, keyed=keyed))

    return await asyncio.gather(*(submit(number) for number in range(CHANGES)))


async def test_a_command_costs_the_same_after_10_000_changes_to_its_item(database: Database) -> None:
    async with writing(database, max_queue=CHANGES) as writer:
        new, other, old = [(await create(writer)).item_id for _ in range(3)]
        first_changes = await _one_by_one(database, writer, _changes(new))
        first_returns = await _one_by_one(database, writer, _returns(other))

        changed = await _change_often(writer, old)
        assert [recorded.item.version for recorded in changed] == list(range(2, CHANGES + 2))

        next_changes = await _one_by_one(database, writer, _changes(old))
        next_returns = await _one_by_one(database, writer, _returns(old))
        assert next_changes <= 1.5 * first_changes, (next_changes, first_changes)
        assert next_returns <= 1.5 * first_returns, (next_returns, first_returns)

        # The writer and readers see the last change.
        version = 1 + CHANGES + 2 * ROUND
        assert await ItemReader(database).get(old) == (
            3 + CHANGES + 4 * ROUND,
            ITEMS.version,
            ItemView(old, "Pen", ROUND * 10_000, True, version),
        )
        deleted = await writer.submit(DeleteItem(old), metadata=metadata())
        assert deleted.item == DeletedItem(version + 1, "Pen", Decimal(ROUND), True)
        restored = await writer.submit(RestoreItem(old), metadata=metadata())
        assert restored.item == LiveItem(version + 2, "Pen", Decimal(ROUND), True)

        # An early change that is retried does nothing, and returns its first result.
        again = ChangeItem(old, UNSET, Decimal(1_000 + KEYED))
        replayed = await writer.submit(again, metadata=Metadata("key"), keyed=True)
        early = changed[KEYED]
        assert replayed == Recorded(early.items, early.position, replayed=True)
        assert replayed.item == LiveItem(2 + KEYED, "Pen", Decimal(1_000 + KEYED), True)
    await assert_log_and_projection_agree(database)
