"""Content negotiation by the `Accept` header (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence


def preferred(accept: bytes | None, offered: Sequence[str]) -> str:
    """Return the media type of `offered` that `Accept` weights highest, the first of equals.

    Media ranges that can't be parsed are ignored. If no offered type is acceptable, the first is sent rather than 406.
    """
    parts = (accept or b"*/*").decode("latin-1").split(",")
    weights = dict(parsed for part in parts if (parsed := _parse(part)))
    return max(offered, key=lambda media_type: _weight(media_type, weights))


def _weight(media_type: str, weights: dict[str, float]) -> float:
    """Return the weight of the most specific range that matches, 0 if none does."""
    ranges = (media_type, media_type.partition("/")[0] + "/*", "*/*")
    return next((weights[media_range] for media_range in ranges if media_range in weights), 0.0)


def _parse(part: str) -> tuple[str, float] | None:
    """Parse `type/subtype;q=0.5`. Other parameters are ignored: no offered media type has any."""
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
