"""Exports a log in each format and imports it: `python -m benchmarks.transfer DATABASE_URL EMPTY_DATABASE_URL`.

The log is what `benchmarks.fill_history` has put there. Each command runs as operators run it, as a process of its own;
what is told of it is events a second, from its start to its end, and the most memory it was given.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Final

from api.export import manifest
from api.export.formats import BY_NAME

_ITEMLEDGER: Final = Path(sys.executable).parent / "itemledger"


def measure(database_url: str, empty_url: str) -> None:
    """Print a line for each format, and one for the import."""
    with tempfile.TemporaryDirectory() as folder:
        for name in BY_NAME:
            file = Path(folder) / f"log.{name}"
            seconds, peak = _run(database_url, "events", "export", "--format", name, "--output", str(file))
            made = manifest.decode(manifest.path_of(file).read_bytes())
            _tell(f"export {name}", made.count, seconds, peak, made.bytes)
            if name != "jsonl":
                file.unlink()
        jsonl = Path(folder) / "log.jsonl"
        _run(empty_url, "migrate")
        seconds, peak = _run(empty_url, "events", "import", str(jsonl))
        made = manifest.decode(manifest.path_of(jsonl).read_bytes())
        _tell("import jsonl", made.count, seconds, peak, made.bytes)


def _run(database_url: str, *arguments: str) -> tuple[float, int]:
    """Run a command; give the seconds it took, and the most memory it had, in MiB."""
    began = monotonic()
    process = subprocess.Popen(
        [_ITEMLEDGER, *arguments],
        env={**os.environ, "DATABASE_URL": database_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return monotonic() - began, usage.ru_maxrss // 1024


def _tell(what: str, events: int, seconds: float, peak: int, size: int) -> None:
    told = {
        "events": events,
        "a second": round(events / seconds),
        "MiB resident": peak,
        "bytes an event": size // events,
    }
    print(f"{what:<20} {json.dumps(told)}", flush=True)


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2])
