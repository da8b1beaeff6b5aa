"""Durations as operators write them: "45s", "30m", "12h", "90d"."""

import re
from typing import Any

import click

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_SECONDS = 36_600 * _UNIT_SECONDS["d"]


def parse_seconds(text: str) -> int:
    """Return the seconds of a duration. Raises ValueError for any other text, and for more than 100 years."""
    match = re.fullmatch(r"([0-9]{1,12})([smhd])", text)
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match else -1
    if not 0 <= seconds <= _MOST_SECONDS:
        raise ValueError(f"Invalid duration {text!r}. Use a number and a unit, for example 45s, 30m, 12h, 90d")
    return seconds


class Interval(str):
    """A duration longer than zero, or "off"."""

    def __new__(cls, text: str) -> "Interval":
        """Return `text` as it is written. Raises ValueError where it is neither."""
        if text != "off" and not parse_seconds(text):
            raise ValueError("The interval must be greater than zero, or off")
        return super().__new__(cls, text)

    @property
    def seconds(self) -> int | None:
        """The interval in seconds; None for "off"."""
        return None if self == "off" else parse_seconds(self)


class Duration(click.ParamType[int]):
    """A duration on the command line, in microseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the value; any other text ends the command with its usage."""
        if isinstance(value, int):
            return value
        try:
            return parse_seconds(value) * 1_000_000
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Lifetime(Duration):
    """A duration longer than zero, or "never", which is 0."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the value; any other text ends the command with its usage."""
        if value == "never":
            return 0
        return super().convert(value, param, ctx) or self.fail("The lifetime must be greater than zero.", param, ctx)
