"""CSV (RFC 4180) in UTF-8, for spreadsheets: a header and one row an event, in the columns of `EventDocument`.

A spreadsheet runs what begins like a formula, whoever put it there. And one that takes semicolons or tabs for what
separates values, as many do where the decimal sign is a comma, cuts values at them, since it does not know the quotes
around a value then. So what begins like a formula gets an apostrophe in front, at the beginning of a value and behind
each such sign in it; and so does an apostrophe there: whoever wants the value itself takes one away. In `data`, which
is JSON, a semicolon before the like is written as JSON can write it, too: it means the same.
"""

import csv
import re
from collections.abc import Sequence
from io import StringIO

from api.http.rfc3339 import format_time
from api.schemas.event import EventDocument
from eventstore.log.history import StoredEvent

#: What a formula can begin with, in one spreadsheet or another (OWASP, "CSV Injection"); full-width signs are signs.
_SIGNS = "=+-@"
_FORMULA = "".join((*_SIGNS, *(chr(ord(sign) + 0xFEE0) for sign in _SIGNS), "\t", "\r", "\n", "'"))
_BEGINNING = f"(?=[{re.escape(_FORMULA)}])"
#: Where a value may be cut, whatever separates values and rows; quotes there are gone when that is read as a cell.
_CUT = re.compile(rf'(\A|[;\t\r\n]"*){_BEGINNING}')
_SEMICOLON = re.compile(rf';(?="*{_BEGINNING})')
_WHITESPACE = str.maketrans("\t\r\n", "   ")


class CsvEncoder:
    """See formats.Encoder."""

    def __init__(self, origin: str, resumed: bool) -> None:
        pass

    def begin(self) -> bytes:
        """Give the header."""
        return _lines([EventDocument.__struct_fields__])

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Give a row for each of `events`. What is null is empty."""
        return _lines([_row(event) for event in events])

    def end(self) -> bytes:
        """Give nothing."""
        return b""


def _row(event: StoredEvent) -> tuple[object, ...]:
    return (
        event.position,
        event.item_id,
        event.version,
        _text(event.type),
        format_time(event.recorded_at),
        _text(event.actor),
        _text(event.command_id),
        event.ordinal,
        _text(event.correlation_id),
        _text(event.causation_id),
        _text(_json(event.data)),
        event.fingerprint.hex(),
        event.leaf_hash.hex(),
    )


def _text(value: str | None) -> str | None:
    return value if value is None else _CUT.sub(r"\1'", value)


def _json(text: str) -> str:
    """Give the same JSON with no place in it where it may be cut before a formula: its own whitespace means nothing."""
    return _SEMICOLON.sub(r"\\u003b", text.translate(_WHITESPACE))


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    written = StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
