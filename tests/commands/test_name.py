"""Valid and invalid item names."""

import re
import unicodedata

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from commands.errors import InvalidNameError
from commands.name import _VIRAMA, NAME_PATTERN, NEW_NAME_PATTERN, Name, NewName, check_name

#: White space by ECMA 262, which JSON Schema uses; Python's \s lacks the first.
BLANKS = (
    "\ufeff \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]


#: Default_Ignorable_Code_Point of the Unicode Character Database (DerivedCoreProperties.txt), as ranges.
IGNORABLE = [
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
]
INVISIBLE = [chr(code) for first, last in IGNORABLE for code in range(first, last + 1)]
INVISIBLE += ["\u2800", "\ufff9", "\ufffa", "\ufffb", "\ufffc", "\U0001d159"]
BIDIRECTIONAL = [*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]

#: Invisible characters where they belong.
NEEDED = [
    # Emoji: a keycap, a heart as a picture and as text, joined people, flags, a direction.
    *("1\ufe0f\u20e3", "#\ufe0f\u20e3", "\u2764\ufe0f", "\u263a\ufe0e", "\U0001f469\u200d\U0001f4bb"),
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    *("\U0001f469\U0001f3fd\u200d\U0001f680", "\U0001f9d4\U0001f3fb\u200d\u2642\ufe0f"),
    *("\U0001f3f4\u200d\u2620\ufe0f", "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f642\u200d\u2194\ufe0f"),
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbeng") + "\U000e007f",
    # Persian, Hindi, Bengali, Sinhala, Kannada, Malayalam, Khmer, Mongolian.
    *("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0915\u094d\u200d\u0937", "\u0915\u094d\u200c\u0937"),
    *("\u09b0\u200d\u09cd\u09af", "\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0ca8\u200d\u0ccd\u0caf", "\u0d28\u0d4d\u200d"),
    *("\u1794\u17c9\u200c\u17b8", "\u1820\u180b", "\u1828\u180e\u1820"),
    # A variant of an ideograph, a zero with a slash, a mathematical sign.
    *("\u845b\U000e0100", "0\ufe00", "\u2229\ufe00"),
]
#: The same characters where they change nothing.
NOT_NEEDED = [
    *(
        "Pen\ufe0f",
        "\u00e9\ufe0f",
        "\u00e9\ufe00",
        "a\ufe00",
        "1\ufe0f",
        "\u6f22\ufe0f",
        "x\U000e0100",
        " \ufe00",
        "\ufe0f",
    ),
    *("\u2764\ufe0f\ufe0f", "a\u200db", "a\u200cb", "\u200dPen", "Pen\u200d", "\u0645\u200c", "\u200c\u0645"),
    *("\U0001f469\u200d", "\U0001f469\u200da", "\U0001f469\u200d\u200d\U0001f4bb", "\u05d0\u200c\u05d1"),
    *("\U0001f3f4\U000e0041", "\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4\U000e0067\U000e0062\U000e0065"),
    *("x\U000e0067\U000e0062\U000e0065\U000e007f", "\U000e007f", "a\u180b", "a\u180eb"),
]


def read(name: str) -> str:
    """Return a name as it was stored before new names had to show what they are."""
    return msgspec.json.decode(msgspec.json.encode(name), type=Name)


def read_new(name: str) -> str:
    return check_name(msgspec.json.decode(msgspec.json.encode(name), type=NewName))


def is_accepted(name: str) -> bool:
    try:
        read_new(name)
    except (InvalidNameError, msgspec.ValidationError):
        return False
    return True


#: Text that is likely to be accepted, of all scripts.
texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), min_size=1, max_size=8)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255))
def test_printable_ascii_is_accepted_unless_it_is_blank(name: str) -> None:
    assert is_accepted(name) == bool(name.strip())


@pytest.mark.parametrize("name", NEEDED, ids=ascii)
def test_a_joiner_or_selector_is_accepted_where_it_is_needed(name: str) -> None:
    assert read_new(f"a {name} z") == f"a {name} z"
    assert read_new(name) == name


@pytest.mark.parametrize("name", NOT_NEEDED, ids=ascii)
def test_a_joiner_or_selector_is_refused_where_it_changes_nothing(name: str) -> None:
    assert not is_accepted(name)
    assert not is_accepted(f"a {name} z")


@pytest.mark.parametrize("character", BIDIRECTIONAL, ids=ascii)
def test_a_bidirectional_control_is_refused_by_its_name(character: str) -> None:
    with pytest.raises(InvalidNameError, match=f"U\\+{ord(character):04X} [A-Z]"):
        check_name(f"a{character}b")
    assert re.search(NEW_NAME_PATTERN, f"a{character}b") is None


@given(texts, texts, st.sampled_from(BIDIRECTIONAL))
def test_no_name_has_a_bidirectional_control(before: str, after: str, control: str) -> None:
    assert not is_accepted(before + control + after)


def test_no_invisible_character_is_a_name_or_hides_in_a_word() -> None:
    for character in INVISIBLE:
        for name in (
            character,
            character * 3,
            f" {character} ",
            f"Pen{character}",
            f"{character}Pen",
            f"P{character}n",
        ):
            assert not is_accepted(name), ascii(name)


def test_each_character_without_a_shape_is_known() -> None:
    # Those that are accepted precede digits or letters, which they enclose: they do have a shape.
    formats = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"]
    accepted = [name for name in formats if is_accepted(name)]
    assert {unicodedata.name(name).split()[0] for name in accepted} <= {"ARABIC", "SYRIAC", "KAITHI"}
    assert len(accepted) <= 13


def test_each_sign_that_removes_a_vowel_is_known() -> None:
    signs = [chr(code) for code in range(0x110000) if unicodedata.combining(chr(code)) == 9]
    assert [ascii(sign) for sign in signs if not re.fullmatch(f"[{_VIRAMA}]", sign)] == []


@given(texts | st.sampled_from(NEEDED), texts | st.sampled_from(NEEDED), st.sampled_from(INVISIBLE))
def test_what_an_accepted_name_hides_is_needed_there(before: str, after: str, character: str) -> None:
    if not is_accepted(before + character + after):
        return
    assert ord(character) in {*range(0x180B, 0x1810), 0x200C, 0x200D, *range(0xFE00, 0xFE10), *range(0xE0020, 0xE01F0)}
    assert not before[-1].isascii() or (before[-1], character) in {("0", "\ufe00")}


@given(st.text(max_size=6))
def test_an_accepted_name_shows_something(name: str) -> None:
    assume(is_accepted(name))
    shown = [character for character in name if character not in INVISIBLE and not character.isspace()]
    assert shown


@pytest.mark.parametrize(
    "name",
    [
        *["Pen", " Pen ", "a", "0", "-", ".", "\u00e4", "\u6f22\u5b57", "\U0001f58a\ufe0f", "e\u0301", "'; DROP TABLE"],
        *["\u00a0Pen\u3000", "a b", "<b>", "%_\\", "\u00a1", "~"],
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
