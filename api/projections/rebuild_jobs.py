"""Rebuilds that the service starts: each in its own process, so that it does not hold the GIL of the server."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import IO

import msgspec
import structlog

from api.secret import Secret
from api.settings import without_settings
from eventstore.database.database import Database
from eventstore.errors import OutcomeUnknownError, UnavailableError
from projections.rebuild import rebuild_requests
from projections.rebuild.rebuild import Options

log = structlog.get_logger()

#: How long a request waits for its rebuild to take its lock or to fail.
_START_SECONDS = 2.0
#: How long a request waits for an earlier rebuild that is just starting or ending.
_OTHER_SECONDS = 5.0
_POLL_SECONDS = 0.1
#: How long a rebuild may take to stop before it is killed. The next one resumes from its replay checkpoint either way.
_STOP_SECONDS = 2.0
#: The folder that holds this code's packages.
_ROOT = Path(__file__).parents[2]
#: By the exit codes of `itemledger rebuild`; see api/cli/exit_codes.py.
_OUTCOMES = {0: "the same", 1: "differed"}


class RebuildRunningError(Exception):
    """The projection is already being rebuilt."""


class RebuildFailedError(Exception):
    """The rebuild ended before it started; the message says why."""


class RebuildJobs:
    """Starts rebuilds, one per projection at a time, and stops them with the service."""

    def __init__(self, database: Database, database_url: Secret) -> None:
        self._database = database
        self._database_url = database_url
        self._tasks: dict[str, asyncio.Task[str | None]] = {}

    @property
    def started(self) -> frozenset[str]:
        """The names of the projections that child processes are rebuilding."""
        return frozenset(self._tasks)

    async def start(self, name: str, options: Options) -> None:
        """Request a rebuild of `name`, start its process; return when it has begun or ended, or after _START_SECONDS.

        From here on the request is what is shown and cancelled. Raises RebuildRunningError if any process rebuilds it
        already, RebuildFailedError, UnavailableError and OutcomeUnknownError.
        """
        if await self._is_running(name, _OTHER_SECONDS):
            raise RebuildRunningError
        request = await self._database.write(partial(rebuild_requests.put, name=name))
        if request is None:
            raise RebuildRunningError
        task = self.launch(name, msgspec.structs.replace(options, request=request))
        running = await self._has_begun(name, task)
        if task.done() and not task.cancelled() and (failure := task.result()) is not None:
            raise RebuildRunningError if running else RebuildFailedError(failure)

    def launch(self, name: str, options: Options) -> "asyncio.Task[str | None]":
        """Start a process that rebuilds `name`. The task returns None, or the reason of a failure."""
        task = self._tasks[name] = asyncio.create_task(self._run(name, options))
        return task

    async def cancel(self, name: str) -> bool:
        """Cancel the rebuild of `name`, by whatever process; return whether there is one.

        Raises UnavailableError and OutcomeUnknownError.
        """
        rebuild = (await rebuild_requests.find_latest(self._database)).get(name)
        if rebuild is None or rebuild.state not in rebuild_requests.ACTIVE:
            return False  # one whose process was killed is stored as running
        had_begun = await self._database.write(partial(rebuild_requests.cancel, name=name))
        if had_begun is False and (task := self._tasks.get(name)):
            task.cancel()  # it would not begin any more
            await asyncio.wait([task])
        return had_begun is not None

    async def close(self) -> None:
        """Stop every process that was started, and wait for its end."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _is_running(self, name: str, timeout_seconds: float) -> bool:
        """Return whether any process rebuilds `name` or is about to; wait for a child process that is just ending."""
        deadline = monotonic() + timeout_seconds
        while True:
            rebuild = (await rebuild_requests.find_latest(self._database)).get(name)
            if rebuild and rebuild.state in rebuild_requests.ACTIVE:
                return True
            task = self._tasks.get(name)
            if task is None or monotonic() > deadline:
                return task is not None
            await asyncio.wait({task}, timeout=_POLL_SECONDS)

    async def _has_begun(self, name: str, task: "asyncio.Task[str | None]") -> bool:
        """Wait until the rebuild in `task` has begun or ended, or for _START_SECONDS; return whether one runs."""
        deadline = monotonic() + _START_SECONDS
        while True:
            rebuild = (await rebuild_requests.find_latest(self._database)).get(name)
            has_begun = rebuild is not None and rebuild.state in ("running", "succeeded", "cancelled")
            if has_begun or task.done() or monotonic() > deadline:
                return rebuild is not None and rebuild.state == "running"
            await asyncio.wait({task}, timeout=_POLL_SECONDS)

    async def _run(self, name: str, options: Options) -> str | None:
        failure: str | None = "The service that ran it stopped. The next rebuild resumes it"
        try:
            failure = await self._run_process(name, options)
        finally:
            if failure is not None and options.request is not None:
                note = partial(rebuild_requests.note_end, name=name, run=options.request, failure=failure)
                with suppress(UnavailableError, OutcomeUnknownError):
                    await self._database.write(note)
            del self._tasks[name]
        return failure

    async def _run_process(self, name: str, options: Options) -> str | None:
        log.info("rebuild started", projection=name)
        # Files, not pipes, so that nothing has to read while the process runs.
        with TemporaryFile() as printed, TemporaryFile() as errors:
            try:
                process = await self._spawn(name, options, printed, errors)
                code = await _wait(process)
            except OSError as error:
                log.error("rebuild not started", projection=name, reason=str(error))
                return str(error)
            output, lines = _lines(printed), _lines(errors)
        # A process that cannot even start may end with one of these codes, too, but it has no report.
        if code in _OUTCOMES and output[-1].startswith('{"report":'):
            log.info("rebuild ended", projection=name, outcome=_OUTCOMES[code], exit_code=code)
            return None
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        reason = lines[-1].removeprefix("Error: ") or f"Its process {ended}"
        log.error("rebuild ended", projection=name, outcome="failed", exit_code=code, reason=reason)
        return reason

    async def _spawn(self, name: str, options: Options, printed: IO[bytes], errors: IO[bytes]) -> Process:
        flags = {"--from-scratch": options.from_scratch, "--dry-run": options.dry_run}
        arguments = [flag for flag, is_set in flags.items() if is_set]
        if options.request is not None:
            arguments += ["--request", options.request]
        if options.throttle is not None:
            arguments += ["--throttle", f"{options.throttle:.0f}"]
        environment = without_settings()
        # Run this code, not what is in the working directory (-P).
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_ROOT), environment.get("PYTHONPATH"))))
        # Not an argument, which every user of the machine can read.
        environment["DATABASE_URL"] = self._database_url.reveal()
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "api", "rebuild", name, "--json", "--with-parent", *arguments),
            env=environment,
            stdin=PIPE,  # which ends with this process, even if that is killed
            stdout=printed,
            stderr=errors,
        )


def _lines(file: IO[bytes]) -> list[str]:
    """Return the lines of what a process has written, at least one."""
    file.seek(0)
    return file.read().decode(errors="replace").splitlines() or [""]


async def _wait(process: Process) -> int:
    """Return the exit code of `process` when it ends; when cancelled, terminate it, and kill it after _STOP_SECONDS."""
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        # Not asyncio.timeout: in a task that was cancelled before, Python 3.11.2 does not raise its TimeoutError.
        ending = asyncio.create_task(process.wait())
        if not (await asyncio.wait([ending], timeout=_STOP_SECONDS))[0]:
            process.kill()
            await ending
        raise
