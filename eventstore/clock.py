"""The clock that the log and its state tables are dated by."""

import time


def now() -> int:
    """Return the time in microseconds since the epoch, UTC."""
    return time.time_ns() // 1000
