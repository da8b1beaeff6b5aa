"""A rebuild is shown and can be cancelled from its request on, before its process has begun; and a failure says why."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from api.projections import rebuild_jobs
from projections.items.items import ITEMS as ITEMS_PROJECTION
from projections.rebuild import rebuild_requests
from projections.rebuild.rebuild import Options
from projections.rebuild.rebuild import rebuild as run
from projections.rebuild.rebuild_state import OvertakenError, RebuildCancelledError
from tests.support.clients.http import check_problem
from tests.support.rebuilding import (
    EVENTS,
    SLOWLY,
    fill,
    known_of,
    leftovers,
    rebuild,
    rebuilding,
    run_sql,
    under_way,
    until,
)
from tests.support.service import InProcess

PYTHON = sys.executable
ITEMS = "/projections/items"
REBUILD = f"{ITEMS}/rebuild"


@pytest.fixture
def service(owned: InProcess) -> InProcess:
    """The service under the role that owns the schema: it can rebuild."""
    return owned


class Gate:
    """A Python that begins where the gate is opened."""

    def __init__(self, folder: Path) -> None:
        self._open = folder / "open"
        self.python = folder / "python"
        self.python.write_text(f'#!/bin/sh\nwhile [ ! -e {self._open} ]; do sleep 0.05; done\nexec {PYTHON} "$@"\n')
        self.python.chmod(0o700)

    def open(self) -> None:
        self._open.touch()


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Rebuild processes that start slowly: later than a request waits for them."""
    monkeypatch.setattr(rebuild_jobs, "_START_SECONDS", 0.0)
    gate = Gate(tmp_path)
    monkeypatch.setattr(sys, "executable", str(gate.python))
    return gate


async def shown(service: InProcess) -> dict[str, Any]:
    found: dict[str, Any] = (await service.client.get(ITEMS)).json()["rebuild"]
    return found


async def ended(service: InProcess) -> dict[str, Any]:
    """Wait for the end of the rebuild and of its process; return what is shown then."""

    async def is_over() -> dict[str, Any] | None:
        if service.services.rebuild_jobs.started:
            return None  # its end is stored just before the process leaves this list
        found = await shown(service)
        return None if found["state"] in rebuild_requests.ACTIVE else found

    return await until(is_over)


async def test_a_rebuild_is_shown_and_runs_from_its_request_on(service: InProcess, gate: Gate) -> None:
    await fill(service.services.database)
    assert rebuild(service.url).returncode == 0
    answer = await service.client.post(REBUILD)
    assert (answer.status_code, answer.json()["rebuild"]["state"]) == (202, "starting")
    before = await shown(service)
    assert (before["state"], before["position"], before["target"], before["progress"]) == ("starting", 0, EVENTS, 0)
    assert (before["failure"], before["cancelled"], before["eta_seconds"]) == (None, False, None)
    assert (await service.client.get(ITEMS)).json()["last_report"] is not None, "of the run before it"
    check_problem(await service.client.post(REBUILD), 409, "rebuild-running")
    gate.open()
    after = await ended(service)
    assert after["state"] == "succeeded"
    assert after["started_at"] >= before["started_at"]


async def test_a_rebuild_that_is_cancelled_before_it_begins_never_runs(service: InProcess, gate: Gate) -> None:
    await fill(service.services.database)
    assert rebuild(service.url).returncode == 0
    before = await known_of(service.url)
    await run_sql(service.url, "UPDATE items SET price = 1 WHERE id = 7")
    assert (await service.client.post(REBUILD)).status_code == 202
    answer = await service.client.delete(REBUILD)
    assert (answer.status_code, answer.json()["rebuild"]["state"]) == (202, "cancelled")
    assert answer.json()["rebuild"]["cancelled"] is True
    assert service.services.rebuild_jobs.started == frozenset(), "its process has ended"
    check_problem(await service.client.delete(REBUILD), 409, "rebuild-not-running")
    assert await known_of(service.url) == before
    assert (await service.client.get("/items/7")).json()["price"] == 0.0001
    gate.open()
    assert (await service.client.post(REBUILD)).status_code == 202
    assert (await ended(service))["state"] == "succeeded"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("state = 'cancelled'", RebuildCancelledError),
        ("run = 'another'", OvertakenError),
        ("requested_at = 1", OvertakenError),
    ],
)
async def test_a_run_whose_request_is_over_does_not_begin(
    service: InProcess, change: str, error: type[Exception]
) -> None:
    """As where another process of the service cancels it, or it comes too late."""
    database = service.services.database
    await fill(database)
    request = await database.write(lambda connection: rebuild_requests.put(connection, "items"))
    await run_sql(service.url, f"UPDATE rebuild_requests SET {change}")
    with pytest.raises(error):
        await run(database, ITEMS_PROJECTION, Options(request=request))
    assert await known_of(service.url) is None
    assert await leftovers(service.url) == []


async def test_a_request_whose_process_never_begins_is_over_after_a_while(service: InProcess) -> None:
    """As where the service was killed just then."""
    request = await service.services.database.write(lambda c: rebuild_requests.put(c, "items"))
    assert request is not None
    assert (await shown(service))["state"] == "starting"
    check_problem(await service.client.post(REBUILD), 409, "rebuild-running")
    await run_sql(service.url, "UPDATE rebuild_requests SET requested_at = 1")
    over = await shown(service)
    assert (over["state"], over["failure"]) == ("failed", rebuild_requests._NOT_BEGUN)
    check_problem(await service.client.delete(REBUILD), 409, "rebuild-not-running")
    assert (await service.client.post(REBUILD)).status_code == 202
    assert (await ended(service))["state"] == "succeeded"


async def test_a_rebuild_at_the_command_line_takes_over_from_a_request(service: InProcess, gate: Gate) -> None:
    await fill(service.services.database)
    assert (await service.client.post(REBUILD)).status_code == 202
    assert rebuild(service.url).returncode == 0
    assert (await shown(service))["state"] == "succeeded"
    before = await known_of(service.url)
    gate.open()
    await until(lambda: asyncio.sleep(0, not service.services.rebuild_jobs.started))
    assert await known_of(service.url) == before


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; sys.exit('Error: no luck')", "no luck"),
        ("import os; os.kill(os.getpid(), 9)", "Its process was ended by signal 9"),
    ],
)
async def test_a_process_that_ends_before_it_begins_has_failed_and_says_why(
    service: InProcess, gate: Gate, tmp_path: Path, program: str, reason: str
) -> None:
    gate.python.write_text(f'#!/bin/sh\nexec {PYTHON} -c "{program}"\n')
    assert (await service.client.post(REBUILD)).status_code in (202, 503)
    over = await ended(service)
    assert (over["state"], over["failure"]) == ("failed", reason)


async def test_a_process_that_cannot_be_started_has_failed_and_says_why(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", os.devnull)
    check_problem(await service.client.post(REBUILD), 503, "rebuild-failed")
    over = await shown(service)
    assert over["state"] == "failed"
    assert "Permission denied" in over["failure"]


async def test_a_process_that_is_killed_while_it_runs_says_so_and_is_resumed(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_jobs, "_START_SECONDS", 60.0)
    await fill(service.services.database)
    processes = []
    spawn = rebuild_jobs.RebuildJobs._spawn

    async def remembered(*arguments: Any) -> Any:
        processes.append(await spawn(*arguments))
        return processes[-1]

    monkeypatch.setattr(rebuild_jobs.RebuildJobs, "_spawn", remembered)
    assert (await service.client.post(f"{REBUILD}?throttle=200")).status_code == 202
    await under_way(service.url)
    processes[0].send_signal(signal.SIGKILL)
    over = await ended(service)
    assert (over["state"], over["failure"]) == ("interrupted", "Its process was ended by signal 9")

    monkeypatch.setattr(sys, "executable", "/bin/false")
    check_problem(await service.client.post(REBUILD), 503, "rebuild-failed")
    assert (await shown(service))["state"] == "failed"
    monkeypatch.undo()
    assert (await service.client.post(REBUILD)).status_code == 202
    await ended(service)
    report = (await service.client.get(ITEMS)).json()["last_report"]
    assert report["events"] == EVENTS - over["position"], "a start that failed leaves what the run before it did"


async def test_a_killed_command_is_shown_with_a_reason(service: InProcess) -> None:
    await fill(service.services.database)
    with rebuilding(service.url, *SLOWLY) as process:
        await under_way(service.url)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
    over = await shown(service)
    assert over["state"] == "interrupted"
    assert over["failure"].startswith("Its process ended before the rebuild did")
