"""Readability of the log is checked with a few look-ups; the plans of both databases show how few."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from eventstore.database.database import Database
from eventstore.errors import UnreadableLogError
from eventstore.events import ItemChanged, ItemDeleted
from eventstore.log import event_type_check
from eventstore.log.event_type_check import check_types
from tests.eventstore.recording import created, execute_long, proposed, record

#: A statement as sent.
Asked = tuple[str, Any]

HASH = {"sqlite": "zeroblob(32)", "postgresql": "decode(repeat('00', 32), 'hex')"}
SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})",
    "postgresql": "WITH n AS (SELECT i FROM generate_series(1, {}) AS one(i))",
}


async def fill(database: Database, count: int, type_of: str) -> None:
    """Fill the log with `count` events, whose type is an SQL expression of their position `i`."""
    dialect = database.url.get_backend_name()
    insert = (
        f"INSERT INTO events SELECT i, i, 1, {type_of}, '{{}}', i, 'anonymous', NULL, 'command-' || i, 0, "
        f"{HASH[dialect]}, NULL, NULL, {HASH[dialect]} FROM n"
    )
    await execute_long(database, f"{SERIES[dialect].format(count)} {insert}")


async def test_a_log_of_known_types_and_an_empty_log_are_readable(database: Database) -> None:
    await check_types(database)
    await record(database, [created(1), proposed(1, 2, ItemChanged(name="Ink")), proposed(1, 3, ItemDeleted())])
    await check_types(database)


@pytest.mark.parametrize("window", [1, 3, 50, 99, 100, 1000])
async def test_every_unknown_type_is_reported_with_its_count_and_first_position(
    database: Database, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Types that sort before and after the supported ones, and one that is not a valid name.
    await fill(
        database,
        100,
        "CASE WHEN i % 7 = 3 THEN 'zebra.seen.v1' WHEN i = 50 THEN '' WHEN i > 90 THEN 'item.created.v10' "
        "WHEN i % 2 = 0 THEN 'item.created.v1' ELSE 'item.deleted.v1' END",
    )
    monkeypatch.setattr(event_type_check, "_WINDOW_EVENTS", window)
    with pytest.raises(UnreadableLogError) as raised:
        await check_types(database)
    zebras = len([i for i in range(1, 101) if i % 7 == 3])
    others = len([i for i in range(91, 101) if i % 7 != 3])
    assert str(raised.value).partition(": ")[2] == (
        "1 of type '', the first at position 50; "
        f"{others} of type 'item.created.v10', the first at position 91; "
        f"{zebras} of type 'zebra.seen.v1', the first at position 3."
    )


EVENTS = 100_000
#: The most rows read to list the types of a log with four types, however many events it has.
LOOK_UPS = 10
#: Steps of SQLite's virtual machine: enough for some look-ups, not for reading every event.
STEPS = 1_000
WINDOW = 20_000


async def test_types_are_listed_by_a_few_index_look_ups(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(database, EVENTS, "'item.' || (i % 4) || '.v1'")
    monkeypatch.setattr(event_type_check, "_WINDOW_EVENTS", WINDOW)
    check = _check_sqlite if database.url.get_backend_name() == "sqlite" else _check_postgresql
    await check(database, *await asked(database))
    # PostgreSQL may have had no statistics before. With them it may count by another index, at no higher cost.
    await execute_long(database, "ANALYZE events")
    await check(database, *await asked(database))


async def asked(database: Database) -> tuple[Asked, list[Asked]]:
    """Check the types; return the statement that lists them, and those that count them."""
    ran: list[Asked] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        ran.append((statement, parameters))

    event.listen(database.reader.sync_engine, "before_cursor_execute", note)
    with pytest.raises(UnreadableLogError, match=f"{EVENTS // 4} of type 'item.0.v1', the first at position 4;"):
        await check_types(database)
    event.remove(database.reader.sync_engine, "before_cursor_execute", note)
    types, *rest = ran
    counts = [asked for asked in rest if "count(" in asked[0]]
    assert len(counts) == 4 * EVENTS // WINDOW
    return types, counts


async def explain(database: Database, how: str, statement: str, parameters: Any) -> Sequence[Any]:
    async with database.reader.connect() as connection:
        return (await connection.exec_driver_sql(f"EXPLAIN {how} {statement}", parameters)).all()


async def _check_sqlite(database: Database, types: Asked, counts: list[Asked]) -> None:
    assert _steps(database, *types) < STEPS
    for asked in counts:
        assert _steps(database, *asked) < 10 * WINDOW
    for asked in (types, *counts):
        plan = [detail for _, _, _, detail in await explain(database, "QUERY PLAN", *asked)]
        looks = [detail for detail in plan if " events" in detail]
        assert looks, plan
        assert all(look.startswith("SEARCH events USING COVERING INDEX ix_events_type_position") for look in looks)


def _steps(database: Database, statement: str, parameters: Any) -> int:
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1

    with closing(sqlite3.connect(Path(database.url.database or ""))) as connection:
        connection.set_progress_handler(count, 1)
        assert connection.execute(statement, parameters).fetchall()
    return counted


async def _check_postgresql(database: Database, types: Asked, counts: list[Asked]) -> None:
    scans = await _scans(database, *types)
    assert {scan["Index Name"] for scan in scans} == {"ix_events_type_position"}, scans
    assert sum(_looked_at(scan) for scan in scans) <= LOOK_UPS, scans
    assert sum(scan["Actual Loops"] for scan in scans) <= LOOK_UPS, scans
    for asked in counts:
        (scan,) = await _scans(database, *asked)
        assert scan["Index Cond"].count('"position" ') == 2, scan
        assert _looked_at(scan) <= WINDOW, scan


def _looked_at(scan: dict[str, Any]) -> int:
    return int(scan["Actual Loops"] * (scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)))


async def _scans(database: Database, statement: str, parameters: Any) -> list[dict[str, Any]]:
    """Return the accesses of a statement to `events`. Fail where one does not use an index."""
    ((plan,),) = await explain(database, "(ANALYZE, FORMAT JSON)", statement, parameters)
    scans = [node for node in _nodes(plan[0]["Plan"]) if node.get("Relation Name") == "events"]
    assert scans, plan
    assert all(scan["Node Type"] in ("Index Scan", "Index Only Scan") for scan in scans), plan
    return scans


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
