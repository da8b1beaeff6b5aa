"""Exports a log in each format and imports it: `python -m benchmarks.replay.transfer DATABASE_URL EMPTY_DATABASE_URL`.

`benchmarks.replay.fill_history` creates the log. Each command runs as operators run it, as a process of its own. Its
results are events per second, from start to end, and its peak memory.
"""

import json
import sys
import tempfile
from pathlib import Path

from api.export import manifest
from api.export.formats import BY_NAME
from benchmarks.replay.processes import Finished, run_to_end
from benchmarks.servers import ITEMLEDGER


def measure(database_url: str, empty_url: str) -> None:
    """Print a line for each format, and one for the import."""
    with tempfile.TemporaryDirectory() as folder:
        for name in BY_NAME:
            file = Path(folder) / f"log.{name}"
            export = (ITEMLEDGER, "events", "export", "--format", name, "--output", str(file))
            _print(f"export {name}", file, run_to_end(export, database_url))
            if name != "jsonl":
                file.unlink()
        jsonl = Path(folder) / "log.jsonl"
        run_to_end((ITEMLEDGER, "migrate"), empty_url)
        _print("import jsonl", jsonl, run_to_end((ITEMLEDGER, "events", "import", str(jsonl)), empty_url))


def _print(what: str, file: Path, finished: Finished) -> None:
    made = manifest.decode(manifest.path_of(file).read_bytes())
    figures = {
        "events": made.count,
        "a second": round(made.count / finished.seconds),
        "MiB resident": round(finished.peak_mib),
        "bytes an event": made.bytes // made.count,
    }
    print(f"{what:<20} {json.dumps(figures)}", flush=True)


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2])
