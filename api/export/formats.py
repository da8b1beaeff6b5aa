"""The formats of an export. Register a new one here."""

from collections.abc import Callable

from msgspec import Struct

from api.export.cloudevents import CloudEventsEncoder
from api.export.csv import CsvEncoder
from api.export.encoder import Encoder
from api.export.jsonl import JsonLinesEncoder
from api.export.parquet import ParquetEncoder


class Format(Struct, frozen=True):
    """A format of an export."""

    name: str
    #: The first is the `Content-Type`; `Accept` may name any.
    media_types: tuple[str, ...]
    #: Builds an encoder, like Encoder.__init__. Raises MissingExtraError.
    encoder: Callable[[str, bool], Encoder]
    #: Whether an interrupted file can be resumed.
    resumable: bool = True
    #: Whether the service can stream it: pages are small and quickly encoded.
    streamed: bool = True


FORMATS: tuple[Format, ...] = (
    Format("jsonl", ("application/jsonl", "application/x-ndjson"), JsonLinesEncoder),
    Format("csv", ("text/csv",), CsvEncoder),
    Format("cloudevents", ("application/cloudevents-batch+json",), CloudEventsEncoder),
    Format("parquet", ("application/vnd.apache.parquet",), ParquetEncoder, resumable=False, streamed=False),
)
STREAMED = [format for format in FORMATS if format.streamed]
BY_NAME = {format.name: format for format in FORMATS}
