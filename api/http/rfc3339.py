"""Times as RFC 3339 writes them."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

#: A time of RFC 3339, section 5.6: all before its seconds, these, and all behind them.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:)([0-9]{2})((?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Years after which the calendar is the same again, and their seconds.
_CYCLE = 400
_CYCLE_SECONDS = 146_097 * 86_400


def format_time(microseconds: int) -> str:
    """Write microseconds since the epoch as RFC 3339 in UTC, to the microsecond: `2026-11-24T08:00:00.000000Z`.

    A year that RFC 3339 can't write has more digits, or a sign. No such event is recorded any more; but where one is,
    it is not to keep any others from being shown.
    """
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_format_second(seconds)}.{rest:06d}Z"


@lru_cache  # what is exported comes in the order of time
def _format_second(seconds: int) -> str:
    cycles, rest = divmod(seconds, _CYCLE_SECONDS)
    moment = _EPOCH + timedelta(seconds=rest)
    return f"{moment.year + cycles * _CYCLE:04}{moment:-%m-%dT%H:%M:%S}"


def parse_time(text: str) -> int:
    """Read an RFC 3339 time with any offset as microseconds since the epoch; finer parts are cut.

    A leap second is the first second of the next minute. Raises ValueError.
    """
    if not (match := _TIME.fullmatch(text)):
        raise ValueError("Expected a time as RFC 3339 has it, with Z or an offset")
    minute, second, rest = match.groups()
    leap = int(second) == 60
    time = datetime.fromisoformat(f"{minute}{'59' if leap else second}{rest}".upper())
    return (time - _EPOCH) // _MICROSECOND + leap * 1_000_000
