"""Names: one line of text that shows as what it is, by Unicode TR36, TR39 and TR55.

Invisible characters make two names look alike, and bidirectional controls reorder what a reader sees. Both are refused
except where a script or an emoji needs them. Only commands check names: events that the log already has stay readable.
"""

import re
import unicodedata
from typing import Annotated

from msgspec import Meta

from commands.errors import InvalidNameError

#: Not blank, and without control characters. It means the same in Python and in JSON Schema (ECMA 262). These differ in
#: `$`, so `(?![\s\S])` is the end, and in whether `\s` includes U+FEFF. It can't be made to backtrack: each part is
#: tried once.
NAME_PATTERN = r"^(?![\s\ufeff]*$)[^\u0000-\u001f\u007f-\u009f]*(?![\s\S])"
#: Not empty, and without control characters: any part of a name.
TEXT_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]+(?![\s\S])"
Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=NAME_PATTERN)]

_BIDIRECTIONAL = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
#: What Unicode 17 calls Default_Ignorable, other blank symbols, annotations and objects that text cannot have.
_NEVER = (
    rf"{_BIDIRECTIONAL}\u00ad\u034f\u115f\u1160\u17b4\u17b5\u200b\u2060-\u2065\u206a-\u206f\u2800\u3164\ufeff\uffa0"
    r"\ufff0-\ufffc"
)
_SOMETIMES = r"\u180b-\u180f\u200c\u200d\ufe00-\ufe0f"
_HIDDEN = re.compile(
    rf"[{_NEVER}{_SOMETIMES}\U00013430-\U00013440\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff]"
)
#: The pattern of new names, as far as JSON Schema can express it. `check_name` checks the rest.
NEW_NAME_PATTERN = NAME_PATTERN.replace(r"\u009f]", rf"\u009f{_NEVER}]")
NewName = Annotated[str, Meta(min_length=1, max_length=255, pattern=NEW_NAME_PATTERN)]

# Near enough to Extended_Pictographic: these blocks have no letters.
_EMOJI = (
    r"\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55\u3030"
    r"\u303d\u3297\u3299\U0001f000-\U0001faff\U0001fc00-\U0001fffd"
)
# Scripts whose letters join or change beside others: Arabic and its kin, Khmer, Mongolian, Adlam and more.
_JOINING = (
    r"\u0620-\u08ff\u1780-\u17d3\u1807\u1820-\u18aa\ua840-\ua872\ufb50-\ufdff\ufe70-\ufefc\U00010ac0-\U00010aff"
    r"\U00010d00-\U00010d3f\U00010f30-\U00010fff\U0001e900-\U0001e95f"
)
# The scripts of India and its neighbours, and their signs that remove a vowel (combining class 9).
_INDIC = r"\u0900-\u109f\u1700-\u1cff\ua800-\uabff\U00010a00-\U00010a5f\U00011000-\U00011fff"
_VIRAMA = (
    r"\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca\u0e3a\u0eba\u0f84\u1039\u103a\u1714\u1715"
    r"\u1734\u17d2\u1a60\u1b44\u1baa\u1bab\u1bf2\u1bf3\u2d7f\ua806\ua82c\ua8c4\ua953\ua9c0\uaaf6\uabed\U00010a3f"
    r"\U00011046\U00011070\U0001107f\U000110b9\U00011133\U00011134\U000111c0\U00011235\U000112ea\U0001134d"
    r"\U000113ce-\U000113d0\U00011442\U000114c2\U000115bf\U0001163f\U000116b6\U0001172b\U00011839\U0001193d"
    r"\U0001193e\U000119e0\U00011a34\U00011a47\U00011a99\U00011c3f\U00011d44\U00011d45\U00011d97\U00011f41\U00011f42"
    r"\U0001612f"
)
_IDEOGRAPHS = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Blocks with standardized variations: Myanmar, punctuation, mathematics, Phags-pa, full width, hieroglyphs.
_VARIED = (
    r"\u1000-\u109f\u2010-\u2bff\u3000-\u303f\ua840-\ua872\uaa60-\uaa7f\uff01-\uff65\U00010ac0-\U00010aff"
    r"\U00013000-\U0001342f"
)
#: Where a character that is otherwise invisible changes what a reader sees.
_NEEDED = re.compile(
    "|".join(
        (
            rf"(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])",
            rf"(?<=[{_VIRAMA}])[\u200c\u200d]",
            rf"(?<=[{_INDIC}])[\u200c\u200d](?=[{_VIRAMA}])",
            rf"(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])",
            rf"(?<=[{_EMOJI}])[\ufe0e\ufe0f]",
            r"(?<=[0-9#*])\ufe0f(?=\u20e3)",  # a keycap
            rf"(?<=[{_VARIED}{_IDEOGRAPHS}])[\ufe00-\ufe0d]",
            r"(?<=0)\ufe00",  # a zero with a slash
            rf"(?<=[{_IDEOGRAPHS}])[\U000e0100-\U000e01ef]",
            r"(?<=[\u1807\u1820-\u18aa])[\u180b-\u180d\u180f]",
            r"(?<=[\u1820-\u18aa])\u180e(?=[\u1820-\u18aa])",
            r"(?<=[\U00013000-\U00013455])[\U00013430-\U00013440]",
            # A flag of a part of a country: its code in letters and digits of tags, and their end.
            r"(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f",
        )
    )
)


def check_name(name: str) -> str:
    """Return a name of a command. Raises InvalidNameError."""
    if name.isascii() or not _HIDDEN.search(name):
        return name
    if (hidden := _HIDDEN.search(_NEEDED.sub("", name))) is not None:
        raise InvalidNameError(_described(hidden[0]))
    return name


def _described(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
