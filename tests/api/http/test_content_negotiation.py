"""Content negotiation by `Accept` (RFC 9110)."""

import pytest

from api.http.content_negotiation import preferred

OFFERED = ("application/json", "text/plain")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/plain", "text/plain"),
        ("Text/Plain; charset=utf-8", "text/plain"),
        ("text/*", "text/plain"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("text/plain;q=0.5, application/json;q=0.4", "text/plain"),
        ("text/plain;q=0.5, application/json;q=0.6", "application/json"),
        ("application/json;q=0, */*", "text/plain"),
        ("text/plain, application/json", "application/json"),  # the first offered of equal weights
        ("*/*;q=0.9, text/*;q=0.8, text/plain", "text/plain"),
        ("image/png", "application/json"),
        ("text/plain;q=2", "application/json"),
        ("text/plain;q=high", "application/json"),
        ("nonsense, ,;;=, text/plain", "text/plain"),
    ],
)
def test_the_media_type_with_the_highest_weight_is_chosen(accept: str | None, expected: str) -> None:
    assert preferred(accept.encode() if accept is not None else None, OFFERED) == expected
