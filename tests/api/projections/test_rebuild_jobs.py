"""The rebuild processes that the service starts: they run this code, show no secret, and end when told to."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from api.projections import rebuild_jobs
from projections.rebuild import rebuild_requests
from projections.rebuild.rebuild import Options
from tests.support.rebuilding import UNKNOWN_EVENT, fill, known_of, run_sql, until
from tests.support.service import InProcess

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


@pytest.fixture
def service(owned: InProcess) -> InProcess:
    """The service under the role that owns the schema: it can rebuild."""
    return owned


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the processes, however busy the machine is."""
    monkeypatch.setattr(rebuild_jobs, "_START_SECONDS", 60.0)
    monkeypatch.setattr(rebuild_jobs, "_OTHER_SECONDS", 60.0)


def children() -> dict[int, list[str]]:
    """Return the arguments of this process's children that rebuild, by process id."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            arguments = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if "rebuild" in arguments:
                found[int(child)] = arguments
    return found


async def test_a_process_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_jobs, "_STOP_SECONDS", 0.2)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DEAF, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    waiting = asyncio.create_task(rebuild_jobs._wait(process))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert process.returncode == -9


async def test_a_rebuild_runs_this_code_in_any_working_directory(
    service: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(service.services.database)
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").touch()
    (tmp_path / "api" / "__main__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ITEMLEDGER_NO_SETTING", "for the tests alone")
    url = service.url
    running = service.services.rebuild_jobs
    await running.start("items", Options(throttle=200))
    assert running.started == {"items"}
    [arguments] = children().values()
    # These and no others: none shows the database's URL, which has passwords.
    latest = (await rebuild_requests.find_latest(service.services.database))["items"]
    expected = [sys.executable, "-P", "-m", "api", "rebuild", "items", "--json", "--with-parent"]
    assert arguments[:-1] == [*expected, "--request", latest.run, "--throttle", "200"]
    await running.close()
    assert (running.started, children()) == (frozenset(), {})
    known = await known_of(url)
    assert known is not None
    assert known.state == "interrupted"


async def test_a_process_that_cannot_be_started_is_reported_with_the_reason(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", os.devnull)
    with pytest.raises(rebuild_jobs.RebuildFailedError, match="Permission denied"):
        await service.services.rebuild_jobs.start("items", Options())
    assert service.services.rebuild_jobs.started == frozenset()


async def test_a_process_that_fails_silently_is_reported_with_its_exit_code(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(rebuild_jobs.RebuildFailedError, match="Its process ended with 1"):
        await service.services.rebuild_jobs.start("items", Options())


async def test_the_outcome_of_a_rebuild_is_logged(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(rebuild_jobs, "log", lines)
    await fill(service.services.database)
    url = service.url
    for change in ("UPDATE items SET price = 1 WHERE id = 7", "SELECT 1", UNKNOWN_EVENT):
        await run_sql(url, change)
        await service.services.rebuild_jobs.launch("items", Options())
    assert [(call.method_name, call.args[0]) for call in lines.calls] == [
        ("info", "rebuild started"),
        ("info", "rebuild ended"),
    ] * 2 + [("info", "rebuild started"), ("error", "rebuild ended")]
    ends = [call.kwargs for call in lines.calls if call.args == ("rebuild ended",)]
    assert [(end["projection"], end["outcome"], end["exit_code"]) for end in ends] == [
        ("items", "differed", 1),
        ("items", "the same", 0),
        ("items", "failed", 2),
    ]
    assert "item.painted.v1" in ends[-1]["reason"]


async def test_a_rebuild_waits_for_an_earlier_one_that_is_ending(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = rebuild_jobs._wait

    async def lingering(process: Process) -> int:
        code = await wait(process)
        await asyncio.sleep(0.5)
        return code

    async def is_over() -> bool:
        known = await known_of(url)
        return known is not None and known.state == "succeeded"

    monkeypatch.setattr(rebuild_jobs, "_wait", lingering)
    url = service.url
    service.services.rebuild_jobs.launch("items", Options())
    await until(is_over)
    assert service.services.rebuild_jobs.started == {"items"}
    await service.services.rebuild_jobs.start("items", Options())
