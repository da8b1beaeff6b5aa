"""Which of several media types a client wants (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence


def preferred(accept: bytes | None, offered: Sequence[str]) -> str:
    """Give the one of `offered` that `Accept` puts first; of equals, or where it wants none of them, the first.

    A range that is not understood counts for nothing: whoever asks for what isn't there is still given an answer.
    """
    ranges = [parsed for part in (accept or b"*/*").decode("latin-1").split(",") if (parsed := _parse(part))]
    return max(offered, key=lambda media_type: _quality(media_type, ranges))


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Give the weight of the most specific range that has `media_type`, 0 where none has."""
    weights = dict(ranges)
    for range_ in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if range_ in weights:
            return weights[range_]
    return 0.0


def _parse(part: str) -> tuple[str, float] | None:
    """Read `type/subtype;q=0.5`. Other parameters narrow a range down, and none of ours has any."""
    name, *parameters = (piece.strip() for piece in part.lower().split(";"))
    weight = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return None
    return (name, weight) if "/" in name and 0 <= weight <= 1 else None
