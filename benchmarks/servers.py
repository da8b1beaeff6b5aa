"""Starts the servers under test, each on a free port with a fresh database, and always stops them."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from benchmarks.databases import Databases
from benchmarks.load import ROOT, BenchmarkError, get_status

ServerName = Literal[
    "itemledger",
    "itemledger, new file",
    "itemledger, two processes",
    "crud",
    "crud, tuned",
    "framework",
    "no database",
]

BIN: Final = Path(sys.executable).parent
ITEMLEDGER: Final = str(BIN / "itemledger")
START_SECONDS: Final = 60
STOP_SECONDS: Final = 15
LOG_LINES: Final = 40


class Server(msgspec.Struct, frozen=True):
    """A running server that is ready."""

    url: str
    log: Path
    pid: int
    # Whether it stores items.
    stores: bool
    # From the start of its command.
    ready_seconds: float = 0.0

    def log_tail(self) -> str:
        """Return the last lines of its output."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])


class Program(msgspec.Struct, frozen=True):
    """How to run a server, and the GET and status that show it is ready."""

    command: tuple[str, ...]
    ready_path: str
    ready_status: int
    migrated: bool
    stores: bool = True
    environment: tuple[tuple[str, str], ...] = ()


def _uvicorn(app: str) -> tuple[str, ...]:
    # As `itemledger serve` sets it: the same loop, the same parser, one process, no access log.
    return (str(BIN / "uvicorn"), app, "--loop", "uvloop", "--http", "httptools", "--no-access-log")


PROGRAMS: Final[dict[ServerName, Program]] = {
    "itemledger": Program((ITEMLEDGER, "serve"), "/readyz", 200, migrated=True),
    "itemledger, new file": Program((ITEMLEDGER, "serve"), "/readyz", 200, migrated=False),
    "itemledger, two processes": Program((ITEMLEDGER, "serve", "--workers", "2"), "/readyz", 200, migrated=True),
    "crud": Program(_uvicorn("benchmarks.baseline_crud:app"), "/items/0", 404, migrated=False),
    "crud, tuned": Program(
        _uvicorn("benchmarks.baseline_crud:app"), "/items/0", 404, migrated=False, environment=(("CRUD_POOL", "tuned"),)
    ),
    # Has no GET.
    "framework": Program(_uvicorn("benchmarks.framework:app"), "/items", 404, migrated=False, stores=False),
    "no database": Program(_uvicorn("benchmarks.no_database:app"), "/livez", 200, migrated=True, stores=False),
}


@contextmanager
def run_server(name: ServerName, databases: Databases, events: int = 0, changes: int = 0) -> Iterator[Server]:
    """Run a server while the context lasts, with `events` items and `changes` of the first in its log."""
    program = PROGRAMS[name]
    with tempfile.TemporaryDirectory(prefix="itemledger-bench-") as temporary:
        directory = Path(temporary)
        database_url = databases.create(directory)
        log = directory / "server.log"
        environment = {**os.environ, **dict(program.environment), "DATABASE_URL": database_url}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: a start does not compile the modules again
        try:
            if program.migrated:
                _run_to_end((ITEMLEDGER, "migrate"), environment, log)
            if events:
                filling = (sys.executable, "-m", "benchmarks.fill", database_url, str(events), str(changes))
                _run_to_end(filling, environment, log)
            port = _free_port()
            command = (*program.command, "--host", "127.0.0.1", "--port", str(port))
            with log.open("a", encoding="utf-8") as output, _process(command, environment, output.fileno()) as process:
                server = Server(f"http://127.0.0.1:{port}", log, process.pid, program.stores)
                ready_seconds = _wait_until_ready(server, program, process)
                try:
                    yield msgspec.structs.replace(server, ready_seconds=ready_seconds)
                except BenchmarkError as error:
                    raise BenchmarkError(f"{error}\nThe log of {name} ends with\n{server.log_tail()}") from error
        finally:
            databases.drop(database_url)


@contextmanager
def batches_to(url: str) -> Iterator[None]:
    """Send a server full batches while the context lasts."""
    command = [sys.executable, "-m", "benchmarks.batches", url]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as sender:
        try:
            yield
            if sender.poll() is not None:
                raise BenchmarkError(f"the stream of batches broke: {sender.stderr and sender.stderr.read()}")
        finally:
            sender.terminate()


@contextmanager
def _process(command: tuple[str, ...], environment: dict[str, str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(server: Server, program: Program, process: subprocess.Popen[bytes]) -> float:
    """Return the seconds that it took."""
    began = time.monotonic()
    while process.poll() is None and time.monotonic() < began + START_SECONDS:
        try:
            if get_status(server.url, program.ready_path) == program.ready_status:
                return time.monotonic() - began
        except OSError:
            pass  # not listening yet
        time.sleep(0.01)
    raise BenchmarkError(f"{program.command} did not get ready:\n{server.log_tail()}")


def _run_to_end(command: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
    with log.open("a", encoding="utf-8") as output:
        code = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code != 0:
        raise BenchmarkError(f"{command} failed ({code}):\n{log.read_text(encoding='utf-8', errors='replace')}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
