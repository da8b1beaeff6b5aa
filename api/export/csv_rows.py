"""CSV (RFC 4180) in UTF-8, for spreadsheets: a header and one row an event, in the columns of `EventDocument`.

A spreadsheet runs what begins like a formula, whoever put it there. Such a value gets an apostrophe in front, and so
does one that begins with an apostrophe: whoever wants the value itself takes one away.
"""

import csv
from collections.abc import Sequence
from io import StringIO

from api.event_body import EventDocument, format_time
from eventstore.history import StoredEvent

#: What a formula can begin with, in one spreadsheet or another (OWASP, "CSV Injection"); full-width signs are signs.
_SIGNS = "=+-@"
_FORMULA = (*_SIGNS, *(chr(ord(sign) + 0xFEE0) for sign in _SIGNS), "\t", "\r", "\n", "'")


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
        _text(event.data),
        event.fingerprint.hex(),
        event.leaf_hash.hex(),
    )


def _text(value: str | None) -> str | None:
    return f"'{value}" if value is not None and value.startswith(_FORMULA) else value


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    written = StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
