"""The processes that the service starts: they run this very code, keep no secret in sight, and end when told to."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from api.projections import rebuild_jobs
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
    """However busy the machine is, its processes are waited for."""
    monkeypatch.setattr(rebuild_jobs, "_START_SECONDS", 60.0)
    monkeypatch.setattr(rebuild_jobs, "_OTHER_SECONDS", 60.0)


def children() -> dict[int, list[str]]:
    """Give the arguments of the processes that this one has started to rebuild, by process."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            arguments = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if "rebuild" in arguments:
                found[int(child)] = arguments
    return found


async def test_one_that_does_not_end_when_told_to_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_jobs, "_STOP_SECONDS", 0.2)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DEAF, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    outliving = asyncio.create_task(rebuild_jobs._outlive(process))
    await asyncio.sleep(0)
    outliving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outliving
    assert process.returncode == -9


async def test_it_is_this_code_wherever_the_service_was_started(
    service: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(service.services.database)
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").touch()
    (tmp_path / "api" / "__main__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ITEMLEDGER_NO_SETTING", "for the tests alone")
    url = service.services.database.url.render_as_string(hide_password=False)
    running = service.services.rebuild_jobs
    await running.start("items", Options(throttle=200))
    assert running.started == {"items"}
    [arguments] = children().values()
    assert arguments[-4:-1] == ["--json", "--throttle", "200"]
    assert not any("itemledger" in argument or "postgres" in argument for argument in arguments), "a URL has passwords"
    await running.close()
    assert (running.started, children()) == (frozenset(), {})
    known = await known_of(url)
    assert known is not None
    assert known.state == "interrupted"


async def test_one_that_cannot_be_started_says_why(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", os.devnull)
    with pytest.raises(rebuild_jobs.RebuildFailedError, match="Permission denied"):
        await service.services.rebuild_jobs.start("items", Options())
    assert service.services.rebuild_jobs.started == frozenset()


async def test_what_a_process_leaves_unsaid_is_its_exit_code(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(rebuild_jobs.RebuildFailedError, match="Its process ended with 1"):
        await service.services.rebuild_jobs.start("items", Options())


async def test_what_came_of_it_is_logged(service: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = CapturingLogger()
    monkeypatch.setattr(rebuild_jobs, "log", lines)
    await fill(service.services.database)
    url = service.services.database.url.render_as_string(hide_password=False)
    for change in ("UPDATE items SET price = 1 WHERE id = 7", "SELECT 1", UNKNOWN_EVENT):
        await run_sql(url, change)
        await service.services.rebuild_jobs.launch("items", Options())
    assert [(call.method_name, call.args[0]) for call in lines.calls] == [
        ("info", "rebuild started"),
        ("info", "rebuild ended"),
    ] * 2 + [("info", "rebuild started"), ("error", "rebuild ended")]
    ends = [call.kwargs for call in lines.calls if call.args == ("rebuild ended",)]
    assert [(end["projection"], end["outcome"], end["exit_code"]) for end in ends] == [
        ("items", "differed", 3),
        ("items", "the same", 0),
        ("items", "failed", 1),
    ]
    assert "item.painted.v1" in ends[-1]["reason"]


async def test_while_one_is_about_to_end_the_next_waits_for_that(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlive = rebuild_jobs._outlive

    async def lingering(process: Process) -> int:
        code = await outlive(process)
        await asyncio.sleep(0.5)
        return code

    async def is_over() -> bool:
        known = await known_of(url)
        return known is not None and known.state == "succeeded"

    monkeypatch.setattr(rebuild_jobs, "_outlive", lingering)
    url = service.services.database.url.render_as_string(hide_password=False)
    service.services.rebuild_jobs.launch("items", Options())
    await until(is_over)
    assert service.services.rebuild_jobs.started == {"items"}
    await service.services.rebuild_jobs.start("items", Options())
