"""The load generator: runs wrk with a script of `benchmarks/wrk/` and parses its results."""

import http.client
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

ROOT: Final = Path(__file__).parent.parent

# One thread saturates a Python server, and leaves the other cores to the server and its database.
THREADS: Final = 1
PREPARE_CLIENTS: Final = 64
PREPARE_SECONDS: Final = 300


class BenchmarkError(Exception):
    """A measurement failed."""


class Measurement(msgspec.Struct, frozen=True):
    """Results of one run of wrk, as the scripts print them, and what the server used meanwhile."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    wrong_answers: dict[str, int]
    socket_errors: dict[str, int]
    # Of the server's processes. wrk does not know it.
    processor_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Responses per second."""
        return self.requests / self.duration_us * 1_000_000

    @property
    def processor_us(self) -> float:
        """Microseconds of the server's processor time per request."""
        return self.processor_seconds / self.requests * 1_000_000 if self.requests else 0.0

    @property
    def errors(self) -> dict[str, int]:
        """Errors by kind; empty for a clean run."""
        socket = {f"socket {kind}": count for kind, count in self.socket_errors.items() if count}
        # wrk counts no error for a server that never responds.
        silence = {} if self.requests else {"no answer at all": 1}
        return {**self.wrong_answers, **socket, **silence}


def wrk_version() -> str | None:
    """Return the version of the installed wrk, or None."""
    if (wrk := shutil.which("wrk")) is None:
        return None
    # For --version it prints the version and its usage, and exits with 1.
    words = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return words[1].removeprefix("debian/") if len(words) > 1 else "unknown"


def measure(script: str, url: str, *, clients: int, seconds: int, arguments: tuple[str, ...] = ()) -> Measurement:
    """Run a load against a server for some seconds."""
    output = _wrk(script, url, clients, seconds, arguments)
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if len(lines) != 1:
        raise BenchmarkError(f"wrk did not report: {output}")
    return msgspec.json.decode(lines[0], type=Measurement)


def prepare(url: str, items: int) -> None:
    """Create items 1 to `items` through the server's own POST."""
    _wrk("prepare", url, PREPARE_CLIENTS, PREPARE_SECONDS, (str(items),))
    try:
        status = get_status(url, f"/items/{items}")
    except OSError as error:
        raise BenchmarkError("the server is gone") from error
    if status != 200:
        raise BenchmarkError(f"{items} items were to be created, but the last one answers {status}")


def get_status(url: str, path: str) -> int:
    """Return the status of a GET. Raises OSError where nothing listens."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _wrk(script: str, url: str, clients: int, seconds: int, arguments: tuple[str, ...]) -> str:
    options = [f"--threads={THREADS}", f"--connections={clients}", f"--duration={seconds}s", "--timeout=10s"]
    # The scripts load their common part by a path relative to the root.
    done = subprocess.run(
        [shutil.which("wrk") or "wrk", *options, f"--script=benchmarks/wrk/{script}.lua", url, "--", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    # After a script's error wrk prints it on stderr and continues, or exits with 0.
    if done.returncode != 0 or done.stderr:
        raise BenchmarkError(f"wrk failed ({done.returncode}): {done.stderr or done.stdout}")
    return done.stdout
