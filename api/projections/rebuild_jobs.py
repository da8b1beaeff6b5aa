"""Rebuilds that the service starts: each a process of its own, which takes the interpreter's lock from no request."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import IO

import structlog

from api.secret import Secret
from api.settings import without_settings
from eventstore.database.database import Database
from projections.rebuild import rebuild_state
from projections.rebuild.rebuild import Options

log = structlog.get_logger()

#: Seconds that a rebuild gets to take its lock, or to say why it can't; a request waits for that.
_START_SECONDS = 2.0
#: Seconds that a request waits for one before it, which is about to begin or to end, so as to know which.
_OTHER_SECONDS = 5.0
#: Seconds between two looks.
_PAUSE = 0.1
#: Seconds that a rebuild gets to stop. Whenever it ends, the next one goes on from its checkpoint.
_STOP_SECONDS = 2.0
#: Where this code is.
_HERE = Path(__file__).parents[2]
_OUTCOMES = {0: "the same", 3: "differed"}


class RebuildRunningError(Exception):
    """The projection is being rebuilt already."""


class RebuildFailedError(Exception):
    """The rebuild ended before it had begun; the message says why."""


class RebuildJobs:
    """Starts rebuilds, one at a time of each projection, and stops them with the service."""

    def __init__(self, database: Database, database_url: Secret) -> None:
        self._database = database
        self._database_url = database_url
        self._tasks: dict[str, asyncio.Task[str | None]] = {}

    @property
    def started(self) -> frozenset[str]:
        """The names of the projections that processes of this one's are rebuilding."""
        return frozenset(self._tasks)

    async def start(self, name: str, options: Options) -> None:
        """Have the projection `name` rebuilt; return once that is under way, or over, or takes its time to begin.

        Raises RebuildRunningError, whichever process rebuilds it, RebuildFailedError, and UnavailableError.
        """
        if await self._is_under_way(name, _OTHER_SECONDS):
            raise RebuildRunningError
        run = self.launch(name, options)  # at once: no other request has come between
        under_way = await self._is_under_way(name, _START_SECONDS)
        if run.done() and (failure := run.result()) is not None:
            raise RebuildRunningError if under_way else RebuildFailedError(failure)

    def launch(self, name: str, options: Options) -> "asyncio.Task[str | None]":
        """Start a process that rebuilds `name`; the task gives None, or why it did not do so."""
        task = self._tasks[name] = asyncio.create_task(self._run(name, options))
        return task

    async def close(self) -> None:
        """Stop every process that was started, and wait for that."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _is_under_way(self, name: str, patience: float) -> bool:
        """Tell whether anyone is rebuilding `name`; wait for a process of ours that is about to begin or to end."""
        deadline = monotonic() + patience
        while True:
            known = (await rebuild_state.find_all(self._database)).get(name)
            if known and known.state == "running":
                return True
            task = self._tasks.get(name)
            if task is None or monotonic() > deadline:
                return task is not None
            await asyncio.wait({task}, timeout=_PAUSE)

    async def _run(self, name: str, options: Options) -> str | None:
        log.info("rebuild started", projection=name)
        # A file, not a pipe: nobody need read along.
        with TemporaryFile() as said:
            try:
                process = await self._spawn(name, options, said)
                code = await _outlive(process)
            except OSError as error:
                log.error("rebuild not started", projection=name, reason=str(error))
                return str(error)
            finally:
                del self._tasks[name]
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines() or [""]
        if code in _OUTCOMES:
            log.info("rebuild ended", projection=name, outcome=_OUTCOMES[code], exit_code=code)
            return None
        reason = lines[-1].removeprefix("Error: ")
        log.error("rebuild ended", projection=name, outcome="failed", exit_code=code, reason=reason)
        return reason or f"Its process ended with {code}"

    async def _spawn(self, name: str, options: Options, said: IO[bytes]) -> Process:
        chosen = {"--from-scratch": options.from_scratch, "--dry-run": options.dry_run}
        arguments = [option for option, is_chosen in chosen.items() if is_chosen]
        if options.throttle is not None:
            arguments += ["--throttle", f"{options.throttle:.0f}"]
        environment = without_settings()
        # The very code that runs here, whatever lies in the working directory (-P).
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_HERE), environment.get("PYTHONPATH"))))
        environment["DATABASE_URL"] = self._database_url.reveal()  # in no argument, which everyone can read
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "api", "rebuild", name, "--json", *arguments),
            env=environment,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=said,
        )


async def _outlive(process: Process) -> int:
    """Wait for the end of `process` and give its exit code; where this is cancelled, see to it that it ends."""
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        raise
