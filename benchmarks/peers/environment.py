"""The peers' environment, created on first use from their lock file, and the commands that run in it."""

import re
import shutil
import sys
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.load import ROOT, BenchmarkError
from benchmarks.replay.processes import run_to_end

#: The peers: package name, and the module that runs it.
PEERS: Final = {
    "eventsource-py": "benchmarks.peers.eventsource_py",
    "eventsourcing": "benchmarks.peers.eventsourcing_py",
}

_LOCK: Final = Path(__file__).with_name("requirements.txt")
_HOME: Final = ROOT / "build" / "peers"
_PYTHON: Final = str(_HOME / "bin" / "python")


def install() -> None:
    """Create the environment unless it matches the lock file. Raises BenchmarkError."""
    installed = _HOME / _LOCK.name
    if not installed.exists() or installed.read_bytes() != _LOCK.read_bytes():
        run_to_end((sys.executable, "-m", "venv", "--clear", str(_HOME)))
        pip = ("-m", "pip", "--disable-pip-version-check", "-qq", "install", "--require-hashes", "-r", str(_LOCK))
        run_to_end((_PYTHON, *pip))
        shutil.copy(_LOCK, installed)


def version(peer: str) -> str:
    """Return the locked version of a peer."""
    found = re.search(rf"^{re.escape(peer)}==(\S+)", _LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def fill(peer: str, database_url: str, events: int) -> None:
    """Make a peer record the first `events` facts of the history in an empty database. Raises BenchmarkError."""
    run_to_end((_PYTHON, "-m", PEERS[peer], "fill", database_url, str(events)))


def read(peer: str, database_url: str, events: int) -> float:
    """Make a peer read all its `events`. Returns events per second. Raises BenchmarkError."""
    read = msgspec.json.decode(run_to_end((_PYTHON, "-m", PEERS[peer], "read", database_url)).output)
    if read["events"] != events:
        raise BenchmarkError(f"{peer} was to read {events} events: {read}")
    return float(events / read["seconds"])
