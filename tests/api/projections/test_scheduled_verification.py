"""The scheduled verification: what it finds, when it runs, and in which process."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from api.durations import Interval
from api.projections import scheduled_verification as scheduling
from api.projections.scheduled_verification import VerificationSchedule, scheduled_verification
from eventstore.database.database import Database
from eventstore.errors import LockHeldError, UnavailableError
from projections import PROJECTIONS, verification_state
from projections.projection import Projection
from projections.rebuild.replay import fold
from projections.verify import SNAPSHOTS, Verdict
from tests.eventstore.recording import changed, created, execute, opened, record
from tests.projections.test_verify import LONG, fill
from tests.support.postgres import as_service
from tests.support.rebuilding import run_sql
from tests.support.service import InProcess, migrate

INTERVAL_SECONDS = 3600
TABLES = [*(projection.name for projection in PROJECTIONS), SNAPSHOTS]
#: More than one page of a comparison.
ITEMS = 3_000


class Clock:
    """A clock that a test sets, in microseconds."""

    def __init__(self) -> None:
        self.now = 1_795_507_200_000_000

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += int(seconds * 1e6)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def restricted(database_url: str) -> AsyncIterator[Database]:
    """A database of either kind, opened under the role of the service."""
    await migrate(database_url)
    async with opened(as_service(database_url)) as database:
        yield database


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """What is logged."""
    lines = CapturingLogger()
    monkeypatch.setattr(scheduling, "log", lines)
    return lines


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tables whose verification was started."""
    return record_verified(monkeypatch)


def record_verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names, verify = list[str](), scheduling._verify

    async def recording(url: str, projection: Projection | None) -> Verdict:
        names.append(projection.name if projection else SNAPSHOTS)
        return await verify(url, projection)

    monkeypatch.setattr(scheduling, "_verify", recording)
    return names


class Blocking:
    """Blocks the verification of one table until it is cancelled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
        self.started = asyncio.Event()
        self.ended = False
        verify, loop = scheduling._verify, asyncio.get_running_loop()

        async def blocking(url: str, projection: Projection | None) -> Verdict:
            if (projection.name if projection else SNAPSHOTS) != table:
                return await verify(url, projection)
            loop.call_soon_threadsafe(self.started.set)
            try:
                await asyncio.Event().wait()
            finally:
                self.ended = True
            raise AssertionError

        monkeypatch.setattr(scheduling, "_verify", blocking)


def drain(lines: CapturingLogger) -> list[tuple[str, str, str]]:
    """Return what was logged since the last call: level, event and table."""
    found = [(call.method_name, call.args[0], call.kwargs.get("projection", "")) for call in lines.calls]
    lines.calls.clear()
    return found


def all_of(event: str) -> list[tuple[str, str, str]]:
    return [("info", event, name) for name in TABLES]


async def test_a_spoilt_row_in_the_middle_of_a_large_table_is_found(
    database_url: str, restricted: Database, clock: Clock, lines: CapturingLogger
) -> None:
    ids = range(1, ITEMS + 1)
    await record(restricted, [*map(created, ids), *(changed(item_id, 2) for item_id in ids)])
    schedule = VerificationSchedule(restricted, INTERVAL_SECONDS, clock)
    spoilt = {
        "items": ("price = price {} 1", f"id = {ITEMS // 2}"),
        "activity": ("changed = changed {} 1", "day >= 0"),
        "item_versions": ("price = price {} 1", f"valid_to = {ITEMS + ITEMS // 2}"),
    }
    assert spoilt.keys() == {projection.name for projection in PROJECTIONS}
    for name, (change, row) in spoilt.items():
        await run_sql(database_url, f"UPDATE {name} SET {change.format('+')} WHERE {row}")
    assert await schedule.run_due() == INTERVAL_SECONDS
    (*errors, snapshots) = lines.calls
    assert [(call.method_name, call.args[0]) for call in errors] == [("error", "projection drift detected")] * 3
    for call, name in zip(errors, spoilt, strict=True):
        found = call.kwargs
        assert (found["projection"], found["position"], found["rows_differ"]) == (name, 2 * ITEMS, 1)
        assert found["rows_compared"] == (1 if name == "activity" else ITEMS)
        [sample] = found["samples"]
        assert (sample["column"], sample["live"] - sample["rebuilt"]) == (spoilt[name][0].split()[0], 1)
    assert (snapshots.args[0], snapshots.kwargs["projection"]) == ("projection verified", SNAPSHOTS)

    lines.calls.clear()
    for name, (change, row) in spoilt.items():
        await run_sql(database_url, f"UPDATE {name} SET {change.format('-')} WHERE {row}")
    clock.forward(INTERVAL_SECONDS)
    await schedule.run_due()
    assert drain(lines) == [*all_of("projection drift resolved")[:3], ("info", "projection verified", SNAPSHOTS)]
    clock.forward(INTERVAL_SECONDS)
    await schedule.run_due()
    assert drain(lines) == all_of("projection verified")


async def test_a_spoilt_snapshot_and_a_missing_column_are_found(
    database_url: str, restricted: Database, clock: Clock, lines: CapturingLogger
) -> None:
    await fill(restricted)
    await run_sql(
        database_url,
        "UPDATE snapshots SET data = replace(data, 'Pen', 'Pan') WHERE version = 17",
        "ALTER TABLE item_versions DROP COLUMN name_folded",
    )
    await VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due()
    assert lines.calls[2].kwargs["problems"] == ["it lacks name_folded"]
    assert lines.calls[3].kwargs["samples"] == [
        {"id": LONG, "column": "name, version 17", "live": "Pan", "rebuilt": "Pen"}
    ]
    assert drain(lines) == [
        *all_of("projection verified")[:2],
        ("error", "projection problem detected", "item_versions"),
        ("error", "projection drift detected", SNAPSHOTS),
    ]


async def test_a_round_is_due_one_interval_after_the_last_one_finished_whatever_restarts(
    restricted: Database, clock: Clock, verified: list[str]
) -> None:
    assert await VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due() == INTERVAL_SECONDS
    assert verified == TABLES
    clock.forward(INTERVAL_SECONDS - 1)
    assert await VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due() == 1
    assert verified == TABLES
    clock.forward(1)
    assert await VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due() == INTERVAL_SECONDS
    assert verified == TABLES * 2
    clock.forward(-10 * INTERVAL_SECONDS)  # set back
    assert await VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due() == INTERVAL_SECONDS
    assert verified == TABLES * 2


@pytest.mark.parametrize("rounds_before", [0, 1])
@pytest.mark.parametrize("table", TABLES[1:])
async def test_an_interrupted_round_resumes_after_a_restart_without_its_finished_tables(
    restricted: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, table: str, rounds_before: int
) -> None:
    for _ in range(rounds_before):
        await VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due()
        clock.forward(INTERVAL_SECONDS)
    with monkeypatch.context() as patched:
        blocking = Blocking(patched, table)
        running = asyncio.create_task(VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due())
        await blocking.started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert blocking.ended
    clock.forward(10 * INTERVAL_SECONDS)
    names = record_verified(monkeypatch)
    assert await VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due() == INTERVAL_SECONDS
    assert names == TABLES[TABLES.index(table) :]


async def test_a_verification_that_is_stopped_ends_at_its_next_chunk_and_stores_nothing(
    restricted: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(restricted)
    started, loop = asyncio.Event(), asyncio.get_running_loop()
    chunks = 0

    def counted(*arguments: Any) -> Any:
        nonlocal chunks
        chunks += 1
        loop.call_soon_threadsafe(started.set)
        return fold(*arguments)

    monkeypatch.setattr("projections.verify.fold", counted)
    monkeypatch.setattr("projections.verify._MOST_PAUSE_SECONDS", 0.5)
    monkeypatch.setattr(scheduling, "_PAUSE_RATIO", 1e9)
    monkeypatch.setattr(scheduling, "_CHUNK_EVENTS", 1)
    running = asyncio.create_task(VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due())
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert 0 < chunks < 10
    assert await verification_state.find_all(restricted) == {}
    assert not await restricted.is_locked(scheduling.LOCK)


async def test_only_one_of_two_processes_verifies(
    database_url: str, restricted: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocking = Blocking(monkeypatch, "items")
    async with opened(as_service(database_url)) as other:
        running = asyncio.create_task(VerificationSchedule(restricted, INTERVAL_SECONDS, clock).run_due())
        await blocking.started.wait()
        with pytest.raises(LockHeldError):
            await VerificationSchedule(other, INTERVAL_SECONDS, clock).run_due()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        monkeypatch.undo()
        assert await VerificationSchedule(other, INTERVAL_SECONDS, clock).run_due() == INTERVAL_SECONDS


@pytest.mark.parametrize(
    "unfit",
    [
        "UPDATE projections SET version = 1 WHERE name = 'items'",
        "UPDATE projections SET version = 9 WHERE name = 'items'",
        "DELETE FROM projections WHERE name = 'items'",
    ],
)
async def test_a_table_of_another_version_is_left_out(
    database: Database, clock: Clock, verified: list[str], unfit: str
) -> None:
    await fill(database)
    await execute(database, "UPDATE items SET price = 1", unfit)
    await VerificationSchedule(database, INTERVAL_SECONDS, clock).run_due()
    assert verified == TABLES[1:]


async def test_the_results_are_shown(database_url: str, clock: Clock) -> None:
    async with InProcess.over(database_url, verify_interval=Interval("off")) as service:
        database = service.services.database
        position = await fill(database)
        await run_sql(database_url, f"UPDATE items SET price = price + 1 WHERE id = {LONG}")
        await VerificationSchedule(database, INTERVAL_SECONDS, clock).run_due()
        shown = {one["name"]: one for one in (await service.client.get("/projections")).json()}
    finished_at = datetime.fromtimestamp(clock.now // 1_000_000, UTC).isoformat().replace("+00:00", "Z")
    intact: dict[str, Any] = {
        "finished_at": finished_at, "position": position, "rows_differ": 0, "problems": [], "samples": []
    }  # fmt: skip
    samples = [{"id": LONG, "column": "price", "live": 340001, "rebuilt": 340000}]
    assert shown["items"]["verification"] == {**intact, "rows_compared": 3, "rows_differ": 1, "samples": samples}
    assert shown["items"]["snapshots"] == {**intact, "rows_compared": 2}
    assert shown["activity"]["verification"] == {**intact, "rows_compared": 1}
    assert shown["activity"]["snapshots"] is None


async def test_off_never_verifies(restricted: Database) -> None:
    async with scheduled_verification(restricted, Interval("off")):
        assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "verification"] == []
    async with scheduled_verification(restricted, Interval("24h")):
        assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "verification"] != []
    assert await verification_state.find_all(restricted) == {}


async def test_no_failure_ends_the_schedule_and_one_that_repeats_is_logged_once(lines: CapturingLogger) -> None:
    outcomes: list[Exception | float] = [
        *(ValueError("broken"), LockHeldError("verify"), UnavailableError(), ValueError("broken")),
        *(0.0, ValueError("broken"), ValueError("worse")),
    ]
    done = asyncio.Event()

    class Failing(VerificationSchedule):
        def __init__(self) -> None:
            pass

        async def run_due(self) -> float:
            if not outcomes:
                done.set()
                return 3600
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    task = asyncio.create_task(scheduling._run(Failing(), pause_seconds=0))
    await done.wait()
    task.cancel()
    assert drain(lines) == [("exception", "projection verification failed", "")] * 3
