"""The clock that the log and its state tables are dated by.

Time in the log never goes back, so a clock that is wrong forward once would date every later event.
"""

import time
from collections.abc import Callable

from eventstore.errors import ClockJumpError

SECOND = 1_000_000  # microseconds
#: How far the clocks of two machines may differ.
MAX_SKEW = 300 * SECOND
#: How far the clock may run ahead of the steady one: a step of NTP is less, a wrong date more.
MAX_AHEAD = 3600 * SECOND
#: How far the last event's time may be from the clock at the start.
MAX_FROM_LAST_EVENT = 365 * 86_400 * SECOND

#: It counts a machine's sleep. Systems other than Linux have it under another name.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> int:
    """Return the time in microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


def steady() -> int:
    """Return the microseconds since the machine started, which no one can set."""
    return time.clock_gettime_ns(_STEADY) // 1000


class CheckedClock:
    """The time, except while the clock is far ahead of where the steady clock says that it should be.

    A clock that comes back is believed again, and so is one that a new process finds at its start.
    """

    def __init__(self, wall: Callable[[], int] = now, steady: Callable[[], int] = steady) -> None:
        self._wall = wall
        self._steady = steady
        self._difference = wall() - steady()

    def __call__(self) -> int:
        """Return the time in microseconds since the epoch, UTC. Raises ClockJumpError."""
        time = self._wall()
        ahead = time - self._steady() - self._difference
        if ahead > MAX_AHEAD:
            raise ClockJumpError(ahead // SECOND)
        return time


def faults(time: int, server_time: int | None, last_event: int) -> list[str]:
    """Return in words what is wrong with `time`, at which a process starts. Pure.

    `server_time` is the database server's, None if it has no clock of its own; `last_event` is 0 for an empty log.
    """
    found = []
    if server_time is not None and abs(time - server_time) > MAX_SKEW:
        found.append(f"it is {_apart(time, server_time)} the database server's")
    if last_event and abs(time - last_event) > MAX_FROM_LAST_EVENT:
        found.append(f"it is {_apart(time, last_event)} the last event in the log")
    return found


def _apart(time: int, other: int) -> str:
    seconds = abs(time - other) // SECOND
    distance = f"{seconds // 86_400} days" if seconds >= 2 * 86_400 else f"{seconds} s"
    return f"{distance} {'ahead of' if time > other else 'behind'}"
