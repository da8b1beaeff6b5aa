"""The formats of an export. Register a new one here."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from api.export.cloudevents import CloudEventsEncoder
from api.export.csv import CsvEncoder
from api.export.jsonl import JsonLinesEncoder
from api.export.parquet import ParquetEncoder
from eventstore.log.history import StoredEvent


class Encoder(Protocol):
    """Writes events one page after another. What it gives, end to end, is the export."""

    def begin(self) -> bytes:
        """Give what comes before the first event."""
        ...

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Give what `events` are in this format; at least one."""
        ...

    def end(self) -> bytes:
        """Give what comes behind the last event."""
        ...


class Format(Struct, frozen=True):
    """One way to write events."""

    name: str
    #: The first is what an answer of this format is sent as; the others ask for it as well.
    media_types: tuple[str, ...]
    #: Makes an encoder for one export of the log that has the name given, which goes on behind events written before or
    #: does not. Raises MissingExtraError.
    encoder: Callable[[str, bool], Encoder]
    #: Whether a file of it can be gone on with where it was left.
    resumable: bool = True
    #: Whether it comes in pieces that are quickly made, so that a service can give it beside all else.
    streamed: bool = True


FORMATS: tuple[Format, ...] = (
    Format("jsonl", ("application/jsonl", "application/x-ndjson"), JsonLinesEncoder),
    Format("csv", ("text/csv",), CsvEncoder),
    Format("cloudevents", ("application/cloudevents-batch+json",), CloudEventsEncoder),
    Format("parquet", ("application/vnd.apache.parquet",), ParquetEncoder, resumable=False, streamed=False),
)
STREAMED = [format for format in FORMATS if format.streamed]
BY_NAME = {format.name: format for format in FORMATS}
