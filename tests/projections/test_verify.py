"""A verification finds every value in a table that differs from the log, and changes nothing."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count, takewhile

import pytest
from sqlalchemy import Connection

import migrations
from commands.item import ChangeItem, DeleteItem, RestoreItem
from commands.writer import Writer
from eventstore.database import table_swap
from eventstore.database.database import Database
from eventstore.item import Transition
from eventstore.log.write_set import RowChanges
from projections import PROJECTIONS
from projections.items.items import ItemsProjection
from projections.rebuild.rebuild import Options, rebuild
from projections.verify import Verdict, verify, verify_table
from tests.eventstore.recording import execute, opened
from tests.support.fold import assert_log_and_projection_agree
from tests.support.tables import everything
from tests.support.writing import create, metadata, writing

#: An item with snapshots of its versions 17 and 33, one that was deleted, and one that returned.
LONG, DELETED, RESTORED = 1, 2, 3


async def fill(database: Database) -> int:
    """Write a small history; return its last position."""
    async with writing(database) as writer:
        for name in ("Pen", "Ink", "Nib", "Cap"):
            await create(writer, name)
        for number in range(35):
            await writer.submit(ChangeItem(LONG, price=Decimal(number)), metadata=metadata())
        for command in (DeleteItem(DELETED), DeleteItem(RESTORED)):
            await writer.submit(command, metadata=metadata())
        return (await writer.submit(RestoreItem(RESTORED), metadata=metadata())).position


async def verdicts(database: Database) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in await verify(database, PROJECTIONS)}


async def test_tables_that_match_the_log_are_the_same(database: Database) -> None:
    position = await fill(database)
    found = await verdicts(database)
    assert list(found) == ["items", "activity", "item_versions", "snapshots"]
    for verdict in found.values():
        assert verdict.same, verdict
        assert (verdict.problems, verdict.samples, verdict.rows_differ) == ([], [], 0)
        assert verdict.position == position
        assert verdict.digest_live == verdict.digest_folded
    assert (found["items"].rows_compared, found["activity"].rows_compared) == (3, 1)
    assert (found["item_versions"].rows_compared, found["snapshots"].rows_compared) == (37, 2)
    assert found["items"].digest_live


async def test_the_tables_of_an_empty_log_are_the_same(database: Database) -> None:
    assert all(verdict.same for verdict in (await verdicts(database)).values())


_ADDED = "INSERT INTO items (id, name, price, in_stock, version, name_folded) VALUES"
_ANOTHER_STATE = (
    "valid_from, node, id, name, price, in_stock, version, name_folded FROM item_versions WHERE valid_to = 41"
)
_ANOTHER_DAY = "created, changed, deleted, restored, stock_value_quotient, stock_value_rest FROM activity"

#: SQL that spoils each table, with the key and the column that must be reported. The key of the one day is not known.
TAMPERINGS: dict[str, list[tuple[str, int | None, str]]] = {
    "items": [
        ("UPDATE items SET name = 'pen' WHERE id = 1", 1, "name"),
        ("UPDATE items SET name_folded = 'pem' WHERE id = 1", 1, "name_folded"),
        ("UPDATE items SET price = price + 1 WHERE id = 1", 1, "price"),
        ("UPDATE items SET in_stock = NOT in_stock WHERE id = 3", 3, "in_stock"),
        ("UPDATE items SET version = version + 1 WHERE id = 3", 3, "version"),
        ("DELETE FROM items WHERE id = 4", 4, "id"),
        (f"{_ADDED} (2, 'Ink', 1, TRUE, 1, 'ink')", 2, "id"),
        (f"{_ADDED} (9999, 'Ink', 1, TRUE, 1, 'ink')", 9999, "id"),
        (f"{_ADDED} (-7, 'Ink', 1, TRUE, 1, 'ink')", -7, "id"),
    ],
    "activity": [
        ("UPDATE activity SET created = created + 1", None, "created"),
        ("UPDATE activity SET changed = changed + 1", None, "changed"),
        ("UPDATE activity SET deleted = deleted + 1", None, "deleted"),
        ("UPDATE activity SET restored = restored + 1", None, "restored"),
        ("UPDATE activity SET created = created - 1", None, "created"),
        ("UPDATE activity SET stock_value_quotient = 1", None, "stock_value_quotient"),
        ("UPDATE activity SET stock_value_rest = stock_value_rest - 1", None, "stock_value_rest"),
        ("DELETE FROM activity", None, "day"),
        (f"INSERT INTO activity SELECT 3, {_ANOTHER_DAY}", 3, "day"),
        (f"INSERT INTO activity SELECT day + 1, {_ANOTHER_DAY}", None, "day"),
    ],
    "item_versions": [
        ("UPDATE item_versions SET valid_from = valid_from - 1 WHERE valid_to = 9", 9, "valid_from"),
        ("UPDATE item_versions SET node = node + 1 WHERE valid_to = 9", 9, "node"),
        ("UPDATE item_versions SET id = 2 WHERE valid_to = 9", 9, "id"),
        ("UPDATE item_versions SET name = 'pen' WHERE valid_to = 9", 9, "name"),
        ("UPDATE item_versions SET price = price + 1 WHERE valid_to = 9", 9, "price"),
        ("UPDATE item_versions SET in_stock = NOT in_stock WHERE valid_to = 40", 40, "in_stock"),
        ("UPDATE item_versions SET version = version + 1 WHERE valid_to = 40", 40, "version"),
        ("UPDATE item_versions SET name_folded = 'pem' WHERE valid_to = 41", 41, "name_folded"),
        ("DELETE FROM item_versions WHERE valid_to = 41", 41, "valid_to"),
        (f"INSERT INTO item_versions SELECT 42, {_ANOTHER_STATE}", 42, "valid_to"),
        (f"INSERT INTO item_versions SELECT -7, {_ANOTHER_STATE}", -7, "valid_to"),
    ],
    "snapshots": [
        ("UPDATE snapshots SET data = replace(data, 'Pen', 'Pan') WHERE version = 17", 1, "name, version 17"),
        ("UPDATE snapshots SET data = replace(data, '15', '16') WHERE version = 17", 1, "price, version 17"),
        ("UPDATE snapshots SET data = replace(data, 'true', 'false') WHERE version = 33", 1, "in_stock, version 33"),
        ("UPDATE snapshots SET data = '{' WHERE version = 33", 1, "data, version 33"),
        ("UPDATE snapshots SET type = 'item.changed.v1' WHERE version = 33", 1, "type, version 33"),
        ("UPDATE snapshots SET position = position - 1 WHERE version = 33", 1, "position, version 33"),
        ("UPDATE snapshots SET version = 99 WHERE version = 33", 1, "version, version 99"),
        ("UPDATE snapshots SET item_id = 77 WHERE version = 33", 77, "version, version 33"),
        (f"INSERT INTO snapshots SELECT {DELETED}, 2, 40, type, data FROM snapshots WHERE version = 17",
         DELETED, "deleted, version 2"),
    ],
}  # fmt: skip


async def test_every_spoilt_value_is_found(database: Database) -> None:
    await fill(database)
    for name, tamperings in TAMPERINGS.items():
        await execute(database, f"CREATE TABLE kept AS SELECT * FROM {name}")
        for tampering, key, column in tamperings:
            await execute(database, tampering)
            found = await verdicts(database)
            assert [one for one, verdict in found.items() if not verdict.same] == [name], tampering
            assert found[name].rows_differ == 1, tampering
            (sample,) = found[name].samples
            assert sample.column == column, tampering
            assert sample.id == key or key is None, tampering
            if name != "snapshots":
                assert found[name].digest_live != found[name].digest_folded, tampering
            await execute(database, f"DELETE FROM {name}", f"INSERT INTO {name} SELECT * FROM kept")
        await execute(database, "DROP TABLE kept")
    assert all(verdict.same for verdict in (await verdicts(database)).values())


async def test_a_snapshot_of_an_unknown_type_is_not_reported(database: Database) -> None:
    await fill(database)  # a newer version of the code may have that type
    await execute(database, "UPDATE snapshots SET type = 'item.created.v99', data = '{' WHERE version = 33")
    assert all(verdict.same for verdict in (await verdicts(database)).values())


async def test_a_boolean_that_only_sqlite_can_store_is_found(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        await database.write(migrations.upgrade)
        await fill(database)
        for value, shown in (("2", 2), ("'yes'", "yes"), ("x'01'", b"\x01")):
            await execute(database, f"UPDATE items SET in_stock = {value} WHERE id = 1")
            found = (await verdicts(database))["items"]
            assert [(one.column, one.live, one.rebuilt) for one in found.samples] == [("in_stock", shown, True)]


_OF_ITEMS = "WHERE name = 'items'"


@pytest.mark.parametrize(
    ("tampering", "problem"),
    [
        (f"UPDATE projections SET version = 1 {_OF_ITEMS}", "it is at version 1, while this version of the code has 2"),
        (f"UPDATE projections SET version = 9 {_OF_ITEMS}", "it is at version 9, while this version of the code has 2"),
        (
            f"DELETE FROM projections {_OF_ITEMS}",
            "it has no row in `projections`, so writes do not update it: run `itemledger rebuild items`",
        ),
        ("ALTER TABLE items DROP COLUMN name_folded", "it lacks name_folded"),
        ("DROP TABLE items", "its table is missing: run `itemledger rebuild items`"),
        (
            f"DROP TABLE items; DELETE FROM projections {_OF_ITEMS}",
            "its table is not built yet: run `itemledger rebuild items`",
        ),
    ],
)
async def test_problems_apart_from_the_rows_are_named(database: Database, tampering: str, problem: str) -> None:
    assert await fill(database) == 42
    await execute(database, *tampering.split("; "))
    found = await verdicts(database)
    assert [name for name, verdict in found.items() if not verdict.same] == ["items"]
    assert found["items"].problems == [problem]
    assert found["items"].rows_differ == 0


async def test_a_projection_unknown_to_the_code_is_named(database: Database) -> None:
    await execute(database, "INSERT INTO projections (name, version) VALUES ('removed', 1)")
    found = await verdicts(database)
    assert found["removed"].problems == ["this version of the code does not know it"]
    assert [name for name, verdict in found.items() if not verdict.same] == ["removed"]


@pytest.mark.parametrize("tampering", [None, "UPDATE items SET price = 1", "DELETE FROM projections"])
async def test_nothing_is_changed(database: Database, tampering: str | None) -> None:
    await fill(database)
    if tampering:
        await execute(database, tampering)
    before = await everything(database)
    await verdicts(database)
    assert await everything(database) == before


async def churn(writer: Writer, going: Callable[[], bool]) -> None:
    """Create, change and delete items, while `going`."""
    for number in takewhile(lambda _: going(), count(1)):
        item = await create(writer, f"item {number}")
        await writer.submit(ChangeItem(item.item_id, price=Decimal(number)), metadata=metadata())
        await writer.submit(DeleteItem(item.item_id), metadata=metadata())
        if number % 2:
            await writer.submit(RestoreItem(item.item_id), metadata=metadata())


async def test_concurrent_writes_and_rebuilds_cause_no_false_alarm(database: Database) -> None:
    position, going = await fill(database), True
    async with writing(database) as writer, asyncio.TaskGroup() as others:
        for _ in range(4):
            others.create_task(churn(writer, lambda: going))
        try:
            for number in range(20):
                await create(writer)  # once this returns, the others have started
                if number % 5 == 4:  # swaps a table meanwhile
                    others.create_task(rebuild(database, PROJECTIONS[0], Options()))
                found = await verdicts(database)
                assert all(verdict.same for verdict in found.values()), found
                before, position = position, found["items"].position or 0
                assert position > before, "nothing was written meanwhile, so this proves nothing"
        finally:
            going = False
    await assert_log_and_projection_agree(database)


def replacing(monkeypatch: pytest.MonkeyPatch, database_url: str) -> list[str]:
    """Replace each table just before it is locked against a swap; the returned list holds the names of those."""
    keep, replaced = table_swap.lock_table_shared, list[str]()

    async def replace(name: str) -> None:
        (projection,) = (projection for projection in PROJECTIONS if projection.table.name == name)
        async with opened(database_url) as other:
            await rebuild(other, projection, Options())

    def keep_another(connection: Connection, name: str) -> None:
        thread = threading.Thread(target=lambda: asyncio.run(replace(name)))
        thread.start()
        thread.join()
        replaced.append(name)
        keep(connection, name)

    monkeypatch.setattr(table_swap, "lock_table_shared", keep_another)
    return replaced


async def test_a_table_that_was_just_swapped_in_is_not_seen_empty(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database)
    replaced = replacing(monkeypatch, database_url)
    found = await verdicts(database)
    assert all(verdict.same for verdict in found.values()), found
    assert replaced == [projection.name for projection in PROJECTIONS]


class _Pauses:
    """Stands for the event that a verification waits for when it pauses."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        return False

    def is_set(self) -> bool:
        return False


async def test_a_verification_pauses_after_each_transaction_in_proportion_to_its_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await fill(database) == 42
    pauses, clock = _Pauses(), count()
    monkeypatch.setattr("projections.verify.Event", lambda: pauses)
    monkeypatch.setattr("projections.verify.monotonic", lambda: next(clock))  # each transaction takes 1 s
    for projection in (*PROJECTIONS, None):
        pauses.seconds.clear()
        assert (await verify_table(database, projection, pause_ratio=4, chunk_events=5)).same
        assert set(pauses.seconds) == {4}
        assert len(pauses.seconds) >= (42 / 5 if projection else 2)
    pauses.seconds.clear()
    await verdicts(database)
    assert pauses.seconds == []


class _Slow(ItemsProjection):
    """A projection that signals each fold, and folds slowly."""

    def __init__(self, begun: Callable[[], object]) -> None:
        self._begun = begun
        self.folds = 0

    def fold(self, transitions: Sequence[Transition]) -> RowChanges:
        self.folds += 1
        self._begun()
        time.sleep(0.02)
        return super().fold(transitions)


async def test_a_verification_that_is_cancelled_ends_and_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = await fill(database)
    before = await everything(database)
    monkeypatch.setattr("projections.verify._CHUNK_EVENTS", 1)
    begun, loop = asyncio.Event(), asyncio.get_running_loop()
    slow = _Slow(lambda: loop.call_soon_threadsafe(begun.set))
    task = asyncio.create_task(verify(database, [slow]))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await loop.shutdown_default_executor()  # waits for the end of its thread, if it had one
    assert slow.folds < events
    async with asyncio.timeout(300):
        while await everything(database) != before:  # noqa: ASYNC110  (PostgreSQL drops the temporary table when it notices)
            await asyncio.sleep(0.01)
