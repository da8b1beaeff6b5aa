"""RFC 3339 times."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

#: RFC 3339, section 5.6, in three groups: up to the minute, the seconds, the fraction and offset.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:)([0-9]{2})((?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE_YEARS = 400  # the Gregorian calendar repeats after so many years
_CYCLE_SECONDS = 146_097 * 86_400


def format_time(microseconds: int) -> str:
    """Return microseconds since the epoch as RFC 3339 in UTC, to the microsecond: `2026-11-24T08:00:00.000000Z`.

    A year beyond RFC 3339 is written with more digits, or a sign. Such events are no longer recorded, but one that
    exists must not make the others unreadable.
    """
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_format_second(seconds)}.{rest:06d}Z"


@lru_cache  # exported events are in the order of time
def _format_second(seconds: int) -> str:
    cycles, rest = divmod(seconds, _CYCLE_SECONDS)
    moment = _EPOCH + timedelta(seconds=rest)
    return f"{moment.year + cycles * _CYCLE_YEARS:04}{moment:-%m-%dT%H:%M:%S}"


def parse_time(text: str) -> int:
    """Return an RFC 3339 time as microseconds since the epoch; finer digits are cut off. Raises ValueError."""
    if not (match := _TIME.fullmatch(text)):
        raise ValueError("Expected an RFC 3339 time with Z or an offset")
    minute, second, rest = match.groups()
    leap = int(second) == 60  # read as the first second of the next minute
    time = datetime.fromisoformat(f"{minute}{'59' if leap else second}{rest}".upper())
    return (time - _EPOCH) // timedelta(microseconds=1) + leap * 1_000_000
