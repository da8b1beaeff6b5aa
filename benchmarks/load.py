"""The load generator: runs wrk with one of the scripts in `benchmarks/wrk/` and reads what it measured."""

import http.client
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

ROOT: Final = Path(__file__).parent.parent

# One thread asks more than a Python server can answer, and leaves the other cores to the server and its database.
THREADS: Final = 1
PREPARE_CLIENTS: Final = 64
PREPARE_SECONDS: Final = 300


class BenchmarkError(Exception):
    """Something could not be measured."""


class Measurement(msgspec.Struct, frozen=True):
    """What wrk measured in one run, as the scripts print it."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int
    wrong_answers: dict[str, int]
    socket_errors: dict[str, int]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests / self.duration_us * 1_000_000

    @property
    def errors(self) -> dict[str, int]:
        """Whatever should not have happened, by kind; empty when all went well."""
        socket = {f"socket {kind}": count for kind, count in self.socket_errors.items() if count}
        # A server that answers nothing makes no error that wrk would count.
        silence = {} if self.requests else {"no answer at all": 1}
        return {**self.wrong_answers, **socket, **silence}


def wrk_version() -> str | None:
    """The installed wrk's version, or None where there is no wrk."""
    if (wrk := shutil.which("wrk")) is None:
        return None
    # It answers --version with the version, its usage and exit code 1.
    words = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return words[1].removeprefix("debian/") if len(words) > 1 else "unknown"


def measure(script: str, url: str, *, clients: int, seconds: int, arguments: tuple[str, ...] = ()) -> Measurement:
    """Put a server under load for some seconds."""
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
    """The status that a GET is answered with; OSError where nobody answers."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _wrk(script: str, url: str, clients: int, seconds: int, arguments: tuple[str, ...]) -> str:
    options = [f"--threads={THREADS}", f"--connections={clients}", f"--duration={seconds}s", "--timeout=10s"]
    # The scripts load their common part by its path from the root.
    done = subprocess.run(
        [shutil.which("wrk") or "wrk", *options, f"--script=benchmarks/wrk/{script}.lua", url, "--", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    # wrk says a script's error on stderr and still goes on, or ends with 0.
    if done.returncode != 0 or done.stderr:
        raise BenchmarkError(f"wrk failed ({done.returncode}): {done.stderr or done.stdout}")
    return done.stdout
