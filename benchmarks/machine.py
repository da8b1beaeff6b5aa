"""Description of the machine behind the figures, without its name."""

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version

from benchmarks.load import wrk_version

LIBRARIES = ("faster-api-web", "uvicorn", "uvloop", "httptools", "msgspec", "sqlalchemy", "aiosqlite", "asyncpg")


def describe() -> list[str]:
    """Return one line per property."""
    return [
        f"{os.cpu_count()} CPU cores, {platform.system()} {platform.machine()}, shared by the load generator, the"
        f" server and PostgreSQL; a write of 4 KiB with fsync takes {_fsync_us():.0f} µs (median)",
        f"{platform.python_implementation()} {platform.python_version()}; "
        + ", ".join(f"{library} {version(library)}" for library in LIBRARIES),
        f"wrk {wrk_version()}, one thread",
    ]


def _fsync_us(writes: int = 200) -> float:
    """Measure a durable write. No commit can be faster, and without group commit each one pays it."""
    times: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(writes):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1_000_000
