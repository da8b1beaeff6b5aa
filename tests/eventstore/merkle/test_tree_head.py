"""Signed heads bind later ones: whatever happens to the log, no checkpoint contradicts another."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only

from eventstore.database.database import Database
from eventstore.errors import InconsistentLogError
from eventstore.merkle import tree_head
from eventstore.merkle.tree_head import TreeHead
from tests.eventstore.merkle.test_tree import fill
from tests.eventstore.recording import Unprojected, created, execute, opened, record
from tests.support.tampering import tamper

SIGNED = 300


async def fill_and_sign(database: Database) -> list[bytes]:
    roots = await fill(database, SIGNED)
    assert await database.write(tree_head.advance) == TreeHead(SIGNED, roots[SIGNED])
    return roots


async def kept(database: Database) -> tuple[int, bytes]:
    [row] = await database.read(text("SELECT size, root FROM log_checkpoint"))
    return row.size, row.root


async def test_the_head_of_an_empty_log_is_that_of_the_empty_tree(database: Database) -> None:
    assert await database.write(tree_head.advance) == await database.read_transaction(tree_head.head)
    assert (await kept(database))[0] == 0


async def test_a_head_is_stored_before_it_is_signed(database: Database) -> None:
    roots = await fill_and_sign(database)
    assert await kept(database) == (SIGNED, roots[SIGNED])
    assert await database.write(tree_head.advance) == TreeHead(SIGNED, roots[SIGNED])
    await record(database, [created(SIGNED + 1)], projector=Unprojected())
    head = await database.write(tree_head.advance)
    assert (head.size, (head.size, head.root)) == (SIGNED + 1, await kept(database))


async def test_another_process_must_extend_the_signed_head_too(database_url: str, database: Database) -> None:
    await fill_and_sign(database)
    async with opened(database_url) as other:
        await record(other, [created(SIGNED + 1)], projector=Unprojected())
        newer = await other.write(tree_head.advance)
    await tamper(database, f"DELETE FROM events WHERE position = {newer.size}", covered_up=True)
    assert (await database.read_transaction(tree_head.head)).size == SIGNED
    with pytest.raises(InconsistentLogError, match="a checkpoint covers 301 events, but there are only 300"):
        await database.write(tree_head.advance)
    assert await kept(database) == (newer.size, newer.root)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
async def test_concurrent_signers_wait_for_each_other(database: Database, database_url: str) -> None:
    await fill_and_sign(database)
    async with opened(database_url) as other:
        began, taken = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold(connection: Connection) -> None:
            with connection.begin():
                connection.execute(text("SELECT size FROM log_checkpoint FOR UPDATE"))
                loop.call_soon(began.set)
                await_only(taken.wait())
                connection.execute(text("UPDATE log_checkpoint SET size = 9000"))

        holding = asyncio.create_task(other.write(hold))
        await began.wait()
        signing = asyncio.create_task(database.write(tree_head.advance))
        await asyncio.sleep(0.2)
        assert not signing.done()
        taken.set()
        await holding
        with pytest.raises(InconsistentLogError, match="a checkpoint covers 9,000 events"):
            await signing


@pytest.mark.parametrize("position", [1, 256, SIGNED])
async def test_a_changed_log_is_not_signed_while_the_database_keeps_the_signed_head(
    database: Database, position: int
) -> None:
    await fill_and_sign(database)
    await tamper(database, f"UPDATE events SET actor = 'eve' WHERE position = {position}", covered_up=True)
    with pytest.raises(InconsistentLogError, match="its first 300 events do not match their checkpoint"):
        await database.write(tree_head.advance)
    await record(database, [created(SIGNED + 1)], projector=Unprojected())
    with pytest.raises(InconsistentLogError, match="its first 300 events do not match their checkpoint"):
        await database.write(tree_head.advance)


#: Resets the record of the last signed head.
FORGET = "UPDATE log_checkpoint SET size = 0, root = (SELECT root FROM first_checkpoint)"


@pytest.mark.parametrize(
    "change", ["UPDATE events SET actor = 'eve' WHERE position = 7", "DELETE FROM events WHERE position > 20"]
)
async def test_the_signing_process_refuses_another_log_though_the_record_was_reset(
    database: Database, change: str
) -> None:
    await execute(database, "CREATE TABLE first_checkpoint AS SELECT root FROM log_checkpoint")
    roots = await fill_and_sign(database)
    signed = TreeHead(SIGNED, roots[SIGNED])
    await tamper(database, change, FORGET, covered_up=True)
    with pytest.raises(InconsistentLogError):
        await database.write(partial(tree_head.advance, known_head=signed))
    with pytest.raises(InconsistentLogError):
        await database.read_transaction(partial(tree_head.head, known_head=signed))
    assert (await kept(database))[0] == 0
    # A process that never signed it can't know; see docs/audit.md.
    assert (await database.write(tree_head.advance)).root != signed.root


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL enforces a column's type
@pytest.mark.parametrize("column", ["size = 'x'", "size = 0.5", "size = -1", "root = 'x'"])
async def test_an_invalid_record_counts_as_missing(database: Database, column: str) -> None:
    await fill_and_sign(database)
    await execute(database, f"UPDATE log_checkpoint SET {column}")
    with pytest.raises(InconsistentLogError, match="record of the last signed checkpoint is missing"):
        await database.write(tree_head.advance)


async def test_without_the_record_of_the_signed_head_nothing_is_signed(database: Database) -> None:
    await fill_and_sign(database)
    await execute(database, "DELETE FROM log_checkpoint")
    with pytest.raises(InconsistentLogError, match="record of the last signed checkpoint is missing"):
        await database.write(tree_head.advance)


async def test_an_earlier_head_is_returned_where_the_log_still_extends_to_the_signed_one(database: Database) -> None:
    roots = await fill_and_sign(database)
    signed = TreeHead(SIGNED, roots[SIGNED])
    for size in (0, 1, 255, 256, 257, SIGNED):
        assert await database.read_transaction(partial(tree_head.earlier, size=size, signed=signed)) == TreeHead(
            size, roots[size]
        )
    await tamper(database, "UPDATE events SET actor = 'eve' WHERE position = 299", covered_up=True)
    for size in (1, 299):
        with pytest.raises(InconsistentLogError):
            await database.read_transaction(partial(tree_head.earlier, size=size, signed=signed))
