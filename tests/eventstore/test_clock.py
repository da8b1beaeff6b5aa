"""A clock that is wrong is found at the start, and while the process runs, by a steady one. No test sets a clock."""

import time

import pytest

from eventstore.clock import MAX_AHEAD, SECOND, CheckedClock, faults, now, steady
from eventstore.errors import ClockJumpError

NOON = 1_795_608_000 * SECOND
DAY = 86_400 * SECOND


class Machine:
    """A machine whose two clocks a test sets."""

    def __init__(self) -> None:
        self.wall = NOON
        self.steady = 17 * SECOND
        self.clock = CheckedClock(lambda: self.wall, lambda: self.steady)

    def passes(self, microseconds: int) -> None:
        self.wall += microseconds
        self.steady += microseconds


def test_time_that_passes_is_no_jump_however_long() -> None:
    machine = Machine()
    for days in (1, 400):
        machine.passes(days * DAY)
        assert machine.clock() == machine.wall


def test_a_step_back_or_of_an_hour_is_believed_and_more_is_not() -> None:
    machine = Machine()
    for step in (-DAY, DAY, MAX_AHEAD):
        machine.wall += step
        assert machine.clock() == machine.wall
    machine.wall += 1
    with pytest.raises(ClockJumpError, match="3600 s ahead"):
        machine.clock()


def test_a_clock_that_comes_back_is_believed_again() -> None:
    machine = Machine()
    machine.wall += 365 * DAY
    for _ in range(2):
        with pytest.raises(ClockJumpError):
            machine.clock()
    machine.wall -= 365 * DAY
    machine.passes(SECOND)
    assert machine.clock() == NOON + SECOND


def test_many_small_steps_are_one_large_step() -> None:
    machine = Machine()
    for _ in range(60):
        machine.wall += 60 * SECOND
        machine.clock()
    machine.wall += 60 * SECOND
    with pytest.raises(ClockJumpError):
        machine.clock()


def test_the_steady_clock_counts_a_sleep_of_the_machine() -> None:
    elapsed = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    assert 0 <= steady() - elapsed < 60 * SECOND
    assert abs(CheckedClock()() - now()) < 60 * SECOND


@pytest.mark.parametrize(
    ("server_time", "last_event", "expected"),
    [
        (None, 0, []),
        (NOON, NOON, []),
        (NOON - 300 * SECOND, NOON - 365 * DAY, []),
        (NOON + 300 * SECOND, NOON + 365 * DAY, []),
        (NOON - 301 * SECOND, 0, ["it is 301 s ahead of the database server's"]),
        (NOON + 301 * SECOND, 0, ["it is 301 s behind the database server's"]),
        (None, NOON - 366 * DAY, ["it is 366 days ahead of the last event in the log"]),
        (None, NOON + 366 * DAY, ["it is 366 days behind the last event in the log"]),
        (
            NOON + 7 * DAY,
            NOON + 400 * DAY,
            ["it is 7 days behind the database server's", "it is 400 days behind the last event in the log"],
        ),
    ],
)
def test_a_clock_is_compared_at_the_start(server_time: int | None, last_event: int, expected: list[str]) -> None:
    assert faults(NOON, server_time, last_event) == expected
