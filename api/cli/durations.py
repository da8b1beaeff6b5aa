"""Durations on the command line."""

import re
from typing import Any

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_SECONDS = 36_600 * _UNITS["d"]


class Duration(click.ParamType[int]):
    """So many seconds, minutes, hours or days: "90d". In microseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; whatever else ends the command with its usage."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,12})([smhd])", value)
        seconds = int(match[1]) * _UNITS[match[2]] if match else -1
        if not 0 <= seconds <= _MOST_SECONDS:
            self.fail(f"{value!r} is no duration: 45s, 30m, 12h and 90d are", param, ctx)
        return seconds * 1_000_000


class Lifetime(Duration):
    """The same, longer than nothing; or "never", which is 0: it has no end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; whatever else ends the command with its usage."""
        if value == "never":
            return 0
        return super().convert(value, param, ctx) or self.fail("it would never live", param, ctx)
