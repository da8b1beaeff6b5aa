"""/projections: their state, a rebuild on request, its report, and its cancellation."""

import asyncio
import signal
from datetime import datetime
from typing import Any

import pytest

from api.projections import rebuild_jobs
from projections import PROJECTIONS
from tests.support.clients.http import check_problem
from tests.support.rebuilding import (
    EVENTS,
    SLOWLY,
    UNKNOWN_EVENT,
    fill,
    known_of,
    leftovers,
    price_of,
    rebuilding,
    run_sql,
    under_way,
    until,
)
from tests.support.service import InProcess, migrate

ITEMS = "/projections/items"
REBUILD = f"{ITEMS}/rebuild"
SLOW = f"{REBUILD}?throttle=200"


@pytest.fixture
def service(owned: InProcess) -> InProcess:
    """The service under the role that owns the schema: it can rebuild."""
    return owned


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a request wait for its rebuild to start, however busy the machine is."""
    monkeypatch.setattr(rebuild_jobs, "_START_SECONDS", 60.0)


async def ended(service: InProcess) -> dict[str, Any]:
    """Wait for the end of the rebuild of items; return the projection then."""

    async def is_over() -> dict[str, Any] | None:
        found: dict[str, Any] = (await service.client.get(ITEMS)).json()
        return None if found["rebuild"]["state"] == "running" else found

    return await until(is_over)


async def test_a_projection_shows_its_position_and_version(service: InProcess) -> None:
    await service.client.post("/items", json={"name": "Pen", "price": 1})
    answer = await service.client.get("/projections")
    assert answer.headers["cache-control"] == "no-store"
    assert [found["name"] for found in answer.json()] == [projection.name for projection in PROJECTIONS]
    assert answer.json()[0] == {
        "name": "items",
        "version": 2,
        "table_version": 2,
        "state": "live",
        "position": 1,
        "log_position": 1,
        "lag": 0,
        "rebuild": None,
        "last_report": None,
        "verification": None,
        "snapshots": None,
    }
    assert (await service.client.get(ITEMS)).json() == answer.json()[0]


@pytest.mark.parametrize(
    ("change", "state", "table_version", "lag"),
    [
        ("UPDATE projections SET version = 1 WHERE name = 'items'", "outdated", 1, 0),
        ("UPDATE projections SET version = 3 WHERE name = 'items'", "newer", 3, 0),
        ("DELETE FROM projections WHERE name = 'items'", "not-built", None, None),
    ],
)
async def test_a_table_that_is_outdated_newer_or_missing_is_shown_as_such(
    service: InProcess, change: str, state: str, table_version: int | None, lag: int | None
) -> None:
    await service.client.post("/items", json={"name": "Pen", "price": 1})
    await run_sql(service.url, change)
    found = (await service.client.get(ITEMS)).json()
    assert (found["state"], found["table_version"], found["lag"]) == (state, table_version, lag)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/projections/x"), ("POST", "/projections/x/rebuild"), ("DELETE", "/projections/x/rebuild")],
)
async def test_an_unknown_projection_is_not_found(service: InProcess, method: str, path: str) -> None:
    check_problem(await service.client.request(method, path), 404, "projection-not-found")


@pytest.mark.parametrize("query", ["throttle=0", "throttle=fast", "from_scratch=maybe", "dry_run=", "item=1"])
async def test_a_rebuild_with_an_invalid_query_is_not_started(service: InProcess, query: str) -> None:
    check_problem(await service.client.post(f"{REBUILD}?{query}"), 400, "invalid-query")
    assert await known_of(service.url) is None


async def test_a_rebuild_on_request_corrects_a_table_and_reports_it(service: InProcess) -> None:
    await fill(service.services.database)
    await run_sql(service.url, "UPDATE items SET price = 1 WHERE id = 7")

    answer = await service.client.post(f"{REBUILD}?dry_run=true")
    assert (answer.status_code, answer.headers["location"]) == (202, ITEMS)
    assert answer.headers["cache-control"] == "no-store"
    first = await ended(service)
    assert (first["rebuild"]["state"], first["last_report"]["swapped"]) == ("succeeded", False)
    assert await price_of(service.url, 7) == 1

    assert (await service.client.post(REBUILD)).status_code == 202
    second = await ended(service)
    assert second["rebuild"]["progress"] == 1
    assert (second["last_report"]["rows_differ"], second["last_report"]["rows_corrected"]) == (1, 1)
    assert second["last_report"]["samples"] == [{"id": 7, "column": "price", "live": 1, "rebuilt": 20000}]
    assert (await service.client.get("/items/7")).json()["price"] == 2
    assert (await service.client.post("/items", json={"name": "Pen", "price": 1})).status_code == 201


async def test_a_rebuild_shows_its_progress_and_a_second_one_is_rejected(service: InProcess) -> None:
    await fill(service.services.database)
    answer = await service.client.post(SLOW)
    assert (answer.status_code, answer.json()["rebuild"]["state"]) == (202, "running")
    check_problem(await service.client.post(REBUILD), 409, "rebuild-running")

    await under_way(service.url)
    shown = (await service.client.get(ITEMS)).json()["rebuild"]
    assert (shown["state"], shown["phase"], shown["target"]) == ("running", "fill", EVENTS)
    assert shown["progress"] == shown["position"] / EVENTS
    assert 0 < shown["progress"] < 1
    assert 0 < shown["rate"] < 300
    assert shown["eta_seconds"] == pytest.approx((EVENTS - shown["position"]) / shown["rate"], abs=0.1)
    assert datetime.fromisoformat(shown["started_at"]) < datetime.fromisoformat(shown["updated_at"])
    assert (shown["failure"], shown["cancelled"]) == (None, False)
    assert (await service.client.get("/readyz")).status_code == 200
    assert (await ended(service))["rebuild"]["state"] == "succeeded"


async def test_of_concurrent_requests_one_starts_a_rebuild(service: InProcess) -> None:
    await fill(service.services.database)
    answers = await asyncio.gather(*(service.client.post(SLOW) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]


async def test_a_cancelled_rebuild_leaves_nothing_and_the_next_starts_from_the_beginning(service: InProcess) -> None:
    await fill(service.services.database)
    await service.client.post(SLOW)
    await under_way(service.url)
    answer = await service.client.delete(REBUILD)
    assert (answer.status_code, answer.headers["cache-control"]) == (202, "no-store")
    assert answer.json()["rebuild"]["cancelled"] is True

    assert (await ended(service))["rebuild"]["state"] == "cancelled"
    assert await leftovers(service.url) == []
    check_problem(await service.client.delete(REBUILD), 409, "rebuild-not-running")
    assert (await service.client.post(REBUILD)).status_code == 202
    assert (await ended(service))["last_report"]["events"] == EVENTS


async def test_cancelling_without_a_running_rebuild_is_rejected(service: InProcess) -> None:
    check_problem(await service.client.delete(REBUILD), 409, "rebuild-not-running")


async def test_a_rebuild_by_another_process_is_shown_and_blocks_ours_and_can_be_cancelled(service: InProcess) -> None:
    await fill(service.services.database)
    with rebuilding(service.url, *SLOWLY) as process:
        await under_way(service.url)
        assert (await service.client.get(ITEMS)).json()["rebuild"]["state"] == "running"
        check_problem(await service.client.post(REBUILD), 409, "rebuild-running")
        assert (await service.client.delete(REBUILD)).status_code == 202
        assert (await ended(service))["rebuild"]["state"] == "cancelled"
        _, errors = process.communicate(timeout=300)
    assert "cancelled" in errors.splitlines()[-1]


async def test_a_killed_rebuild_is_shown_as_interrupted_and_resumed(service: InProcess) -> None:
    await fill(service.services.database)
    with rebuilding(service.url, *SLOWLY) as process:
        await under_way(service.url)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
    left = (await service.client.get(ITEMS)).json()["rebuild"]
    assert (left["state"], left["eta_seconds"]) == ("interrupted", None)
    check_problem(await service.client.delete(REBUILD), 409, "rebuild-not-running")
    assert (await service.client.post(REBUILD)).status_code == 202
    assert (await ended(service))["last_report"]["events"] == EVENTS - left["position"]


async def test_a_rebuild_that_cannot_start_is_reported_with_the_reason(service: InProcess) -> None:
    await service.client.post("/items", json={"name": "Pen", "price": 1})
    await run_sql(service.url, UNKNOWN_EVENT)
    problem = check_problem(await service.client.post(REBUILD), 503, "rebuild-failed")
    assert "item.painted.v1" in problem["detail"]
    assert (await service.client.get("/items/1")).status_code == 200


async def test_under_the_restricted_role_a_rebuild_fails_with_permission_denied(postgres_url: str) -> None:
    async with InProcess.over(postgres_url) as service:
        await fill(service.services.database)
        problem = check_problem(await service.client.post(REBUILD), 503, "rebuild-failed")
        assert "permission denied" in problem["detail"]


async def test_a_service_that_stops_interrupts_its_rebuild_and_the_next_resumes_it(database_url: str) -> None:
    await migrate(database_url)
    async with InProcess.over_as_it_is(database_url) as service:
        await fill(service.services.database)
        await service.client.post(SLOW)
        await under_way(database_url)
    known = await known_of(database_url)
    assert known is not None
    assert known.state == "interrupted"
    assert 0 < known.cursor.position < EVENTS
    async with InProcess.over_as_it_is(database_url) as service:
        assert (await service.client.post(REBUILD)).status_code == 202
        assert (await ended(service))["last_report"]["events"] == EVENTS - known.cursor.position
