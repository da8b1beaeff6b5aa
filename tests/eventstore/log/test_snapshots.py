"""Snapshots change the cost of reading a stream, and nothing else."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, event

from eventstore.database.database import Database
from eventstore.events import ItemCreated, RecordedEvent
from eventstore.item import Item, LiveItem, fold
from eventstore.log.head import END
from eventstore.log.snapshots import Snapshot
from eventstore.log.streams import read_streams
from eventstore.log.tables import snapshots
from tests.eventstore.recording import ProposedEvent, append, changed, created, execute_long
from tests.projections.histories import histories
from tests.support.recorded import read_all, save

EVERY = 16


def items_of(stream: Iterable[RecordedEvent]) -> dict[int, Item]:
    """Fold each item's events."""
    return {item_id: fold(own) for item_id, own in groupby(stream, key=lambda recorded: recorded.item_id)}


def snapshot(recorded: RecordedEvent, history: Sequence[RecordedEvent]) -> Snapshot | None:
    """Return the snapshot of an item after one of its events, None for a deleted item."""
    item = fold(one for one in history[: recorded.position] if one.item_id == recorded.item_id)
    if not isinstance(item, LiveItem):
        return None
    told = ItemCreated(item.name, item.price, item.in_stock)
    return Snapshot(recorded.item_id, recorded.version, recorded.position, told)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.data())
async def test_streams_fold_alike_with_and_without_snapshots(
    database: Database, history: list[ProposedEvent], data: st.DataObject
) -> None:
    chosen = data.draw(st.sets(st.integers(0, len(history) - 1)))
    item_ids = {event.item_id for event in history}
    # Also an item that does not exist, and not always all.
    asked = data.draw(st.sets(st.sampled_from([*sorted(item_ids), 10_000]), min_size=1))

    def work(connection: Connection) -> None:
        with connection.begin() as transaction:
            recorded = append(connection, history)
            bounds = [*range(len(history) + 1), END]
            plain = {through: items_of(read_streams(connection, asked, through)) for through in bounds}
            for through in bounds:
                own = [one for one in recorded if one.position <= through and one.item_id in asked]
                expected = items_of(sorted(own, key=lambda one: (one.item_id, one.version)))
                assert plain[through] == expected
            taken = [taken for number in chosen if (taken := snapshot(recorded[number], recorded))]
            save(connection, taken)
            for through in bounds:
                streams = list(read_streams(connection, asked, through))
                assert items_of(streams) == plain[through]
                _check_beginnings(streams, taken, through)
            for gone in taken[::2]:  # any may be deleted, and then the others
                _remove(connection, gone)
            for through in bounds:
                assert items_of(read_streams(connection, asked, through)) == plain[through]
            connection.execute(delete(snapshots))
            for through in bounds:
                assert items_of(read_streams(connection, asked, through)) == plain[through]
            transaction.rollback()

    await database.write(work)


def _check_beginnings(streams: Sequence[RecordedEvent], taken: Sequence[Snapshot], through: int) -> None:
    """Fail unless each stream begins at its item's newest snapshot up to `through`, or else at its first event."""
    for item_id, stream in groupby(streams, key=lambda recorded: recorded.item_id):
        versions = [one.version for one in stream]
        usable = [one.version for one in taken if one.item_id == item_id and one.position <= through]
        assert versions == list(range(max(usable, default=1), versions[-1] + 1))


def _remove(connection: Connection, gone: Snapshot) -> None:
    this = (snapshots.c.item_id == gone.item_id, snapshots.c.version == gone.version)
    connection.execute(delete(snapshots).where(*this))


async def test_a_snapshot_is_read_as_the_creation_of_its_item(database: Database) -> None:
    def work(connection: Connection) -> list[RecordedEvent]:
        with connection.begin():
            recorded = append(connection, [created(1), changed(1, 2), changed(1, 3), changed(1, 4)])
            save(connection, [Snapshot(1, 3, 3, ItemCreated("Pen", Decimal(3), True))])
            assert list(read_streams(connection, [1], through=2)) == recorded[:2]
            read = list(read_streams(connection, [1]))
            assert read[1:] == recorded[3:]
            assert read_all(connection) == recorded  # the log itself is unchanged
            return read[:1]

    (first,) = await database.write(work)
    assert (first.position, first.version, first.event) == (3, 3, ItemCreated("Pen", Decimal(3), True))


# 128 items of 1,000 events each, interleaved, or one item with most of the log: statistics can say that an
# item has most of the log, and the planner must still not scan the log.
_HASH = {"sqlite": "zeroblob(32)", "postgresql": "decode(repeat('00', 32), 'hex')"}
_SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {events})",
    "postgresql": "WITH n AS (SELECT i FROM generate_series(1, {events}) AS one(i))",
}
_BORN = """'{"name": "Pen", "price": "1", "in_stock": true}'"""
_SHAPES = {"many": ("(i - 1) % 128 + 1", "(i - 1) / 128 + 1"), "one": ("1", "i")}


def filling(dialect: str, shape: str, events: int = 128_000) -> list[str]:
    """Return the SQL that fills the log, with a snapshot every 16 events of an item, like the writer."""
    item, version = _SHAPES[shape]
    hashed = _HASH[dialect]
    return [
        f"{_SERIES[dialect].format(events=events)} INSERT INTO events SELECT i, {item}, {version}, "
        f"CASE {version} WHEN 1 THEN 'item.created.v1' ELSE 'item.changed.v1' END, "
        f"CASE {version} WHEN 1 THEN {_BORN} ELSE '{{}}' END, "
        f"i, 'anonymous', NULL, 'command-' || i, 0, {hashed}, NULL, NULL, {hashed} FROM n",
        f"INSERT INTO snapshots SELECT item_id, version, position, 'item.created.v1', {_BORN} "
        f"FROM events WHERE version > 1 AND version % {EVERY} = 1",
    ]


@pytest.mark.parametrize("shape", _SHAPES)
async def test_a_long_stream_is_read_from_its_newest_snapshot_and_by_the_index(database: Database, shape: str) -> None:
    dialect = database.url.get_backend_name()
    await execute_long(database, *(statement.replace(":", "\\:") for statement in filling(dialect, shape)))
    item_ids = [[1], range(1, 33), range(1, 129)] if shape == "many" else [[1]]
    for _ in range(2):
        for asked in item_ids:
            rows, plan = await database.write(lambda connection, asked=asked: _read(connection, asked))  # type: ignore[misc]
            assert 0 < rows <= (EVERY + 1) * len(asked)
            _CHECKS[dialect](plan, len(asked))
        if dialect == "sqlite":
            break  # it keeps no statistics without ANALYZE
        # It may have had none before.
        await execute_long(database, "ANALYZE events", "ANALYZE snapshots")


def _read(connection: Connection, item_ids: Sequence[int]) -> tuple[int, Any]:
    """Read streams; return the number of rows and the plan."""
    ran: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        ran.append((statement, parameters))

    with connection.begin():
        event.listen(connection, "before_cursor_execute", note)
        rows = len(list(read_streams(connection, item_ids)))
        event.remove(connection, "before_cursor_execute", note)
        ((statement, parameters),) = ran
        if connection.dialect.name == "sqlite":
            return rows, connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        return rows, explained.scalar_one()[0]["Plan"]


def _check_sqlite(plan: Sequence[Any], _items: int) -> None:
    details = [detail for _, _, _, detail in plan]
    tables = [detail for detail in details if " events" in detail or " snapshots" in detail]
    assert sum("(item_id=? AND version>?)" in detail for detail in tables) == 1, details
    assert all(detail.startswith("SEARCH") for detail in tables), details


def _check_postgresql(plan: dict[str, Any], items: int) -> None:
    nodes = list(_nodes(plan))
    scans = [node for node in nodes if "Relation Name" in node]
    assert {node["Relation Name"] for node in scans} == {"events", "snapshots"}
    for scan in scans:
        assert scan["Node Type"] in ("Index Scan", "Index Only Scan"), plan
        assert "item_id =" in scan["Index Cond"], plan
        looked_at = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
        assert scan["Actual Loops"] <= items, plan
        assert looked_at <= EVERY + 1, plan
    assert any("version >=" in scan["Index Cond"] for scan in scans), plan


_CHECKS: dict[str, Any] = {"sqlite": _check_sqlite, "postgresql": _check_postgresql}


def _nodes(plan: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
