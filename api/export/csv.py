"""CSV (RFC 4180) in UTF-8, for spreadsheets: a header, and one row per event with the columns of `EventDocument`.

Spreadsheets run a cell that begins like a formula. A spreadsheet that separates cells by semicolons or tabs, as many do
where the decimal separator is a comma, also ignores the quotes around a value and splits it there. So an apostrophe is
inserted before everything that could begin a formula, at the beginning of a value and after each such separator in it,
and also before an apostrophe there: removing one restores the value. In `data`, which is JSON, a semicolon before such
a character is written as a JSON escape instead, which means the same.
"""

import csv
import re
from collections.abc import Sequence
from io import StringIO

from msgspec import Raw
from msgspec.structs import astuple

from api.export.encoder import Encoder
from api.schemas.event import EventDocument, to_event_document
from eventstore.log.history import StoredEvent

#: The first characters of formulas in any spreadsheet (OWASP, "CSV Injection"), full-width signs included.
_SIGNS = "=+-@"
_FORMULA = "".join((*_SIGNS, *(chr(ord(sign) + 0xFEE0) for sign in _SIGNS), "\t", "\r", "\n", "'"))
_BEGINNING = f"(?=[{re.escape(_FORMULA)}])"
#: Where any separator of cells or rows may split a value; quotes after it are removed when it is read as a cell.
_SPLIT = re.compile(rf'(\A|[;\t\r\n]"*){_BEGINNING}')
_SEMICOLON = re.compile(rf';(?="*{_BEGINNING})')
_WHITESPACE = str.maketrans("\t\r\n", "   ")


class CsvEncoder(Encoder):
    """Encodes one event per row."""

    def begin(self) -> bytes:
        """Return the header."""
        return _lines([EventDocument.__struct_fields__])

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Return a row for each event. Null is an empty cell."""
        return _lines([[_cell(value) for value in astuple(to_event_document(event))] for event in events])


def _cell(value: object) -> object:
    if isinstance(value, Raw):
        # Whitespace between JSON tokens means nothing, but may split the value before a formula.
        value = _SEMICOLON.sub(r"\\u003b", bytes(value).decode().translate(_WHITESPACE))
    return _SPLIT.sub(r"\1'", value) if isinstance(value, str) else value


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
