"""Valid and invalid item names."""

import re

import msgspec
import pytest

from commands.item import NAME_PATTERN, Name

#: White space by ECMA 262, which JSON Schema uses; Python's \s lacks the first.
BLANKS = (
    "\ufeff \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]


def read(name: str) -> str:
    return msgspec.json.decode(msgspec.json.encode(name), type=Name)


@pytest.mark.parametrize(
    "name",
    [
        *["Pen", " Pen ", "a", "0", "-", ".", "\u00e4", "\u6f22\u5b57", "\U0001f58a\ufe0f", "e\u0301", "'; DROP TABLE"],
        *["\ufeffPen", "\u00a0Pen\u3000", "a b", "<b>", "%_\\", "\u00a1", "\u00ad", "~"],
        pytest.param("x" * 255, id="255 characters"),
        pytest.param("\U0001f58a" * 255, id="255 characters beyond 16 bits"),
        pytest.param(" " * 254 + "x", id="blank except at its end"),
    ],
)
def test_a_name_is_any_text(name: str) -> None:
    assert read(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        *BLANKS,
        pytest.param(BLANKS, id="every blank"),
        pytest.param(" " * 255, id="255 blanks"),
        pytest.param("x" * 256, id="256 characters"),
        pytest.param("\U0001f58a" * 256, id="256 characters beyond 16 bits"),
    ],
)
def test_a_name_is_neither_blank_nor_too_long(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(name)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"U+{ord(control):04X}")
def test_a_name_has_no_control_character_anywhere(control: str) -> None:
    for name in (control, f"{control}Pen", f"P{control}n", f"Pen{control}", f" {control} "):
        with pytest.raises(msgspec.ValidationError):
            read(name)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        (" " * 2**24, False),
        (" " * 2**24 + "x", True),
        (" " * 2**24 + "\n", False),
        ("x" * 2**24 + "\n", False),
        ("x " * 2**23 + "\x00", False),
        (" \ufeff" * 2**23 + "\x00", False),
    ],
    ids=["blank", "blank, then a letter", "blank, then a newline", "then a newline", "then a NUL", "mixed"],
)
def test_no_text_makes_the_pattern_slow(text: str, matches: bool) -> None:
    # No clock: one pass over 16 MiB takes a moment, but a pass for each character would take days.
    assert (re.search(NAME_PATTERN, text) is not None) == matches


def test_a_name_as_long_as_a_request_may_be_is_refused() -> None:
    for text in (" " * 65_536, " " * 65_535 + "x", "x" * 65_535 + "\n"):
        with pytest.raises(msgspec.ValidationError):
            read(text)
