"""Parquet, for analysis: typed, compressed columns. Needs pyarrow, a large optional dependency: the extra `parquet`."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from api.export.encoder import Encoder
from api.schemas.event import EventDocument
from eventstore.log.history import StoredEvent

_ROW_GROUP_EVENTS = 20_000


class MissingExtraError(Exception):
    """pyarrow is not installed; the message says how to install it."""

    def __init__(self) -> None:
        super().__init__("Parquet needs pyarrow. Install the `parquet` extra: pip install 'itemledger[parquet]'")


class ParquetEncoder(Encoder):
    """Encodes events as row groups. It cannot resume: a Parquet file ends with an index of its row groups."""

    def __init__(self, origin: str, resumed: bool) -> None:
        """Raises MissingExtraError."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise MissingExtraError from None
        pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # pyarrow's own pool keeps memory that it no longer needs
        self._pyarrow = pyarrow
        self._schema = _schema(pyarrow)
        self._sink = _Sink()
        self._writer = pyarrow.parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._batches: list[Any] = []
        self._events = 0

    def begin(self) -> bytes:
        """Return the file's magic bytes."""
        return self._sink.drain()

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Return a row group, once there are enough events for one."""
        columns = {name: [getattr(event, name) for event in events] for name in self._schema.names}
        self._batches.append(self._pyarrow.RecordBatch.from_pydict(columns, schema=self._schema))
        self._events += len(events)
        if self._events >= _ROW_GROUP_EVENTS:
            self._write_group()
        return self._sink.drain()

    def end(self) -> bytes:
        """Return the last row group and the index."""
        if self._batches:
            self._write_group()
        self._writer.close()
        return self._sink.drain()

    def _write_group(self) -> None:
        table = self._pyarrow.Table.from_batches(self._batches, self._schema)
        self._writer.write_table(table, row_group_size=self._events)
        self._batches, self._events = [], 0


def _schema(pyarrow: Any) -> Any:
    """Return the columns of EventDocument, with the types of StoredEvent: text unless it is named here."""
    types = {
        **dict.fromkeys(("position", "item_id", "version"), pyarrow.int64()),
        **dict.fromkeys(("fingerprint", "leaf_hash"), pyarrow.binary(32)),
        "recorded_at": pyarrow.timestamp("us", tz="UTC"),
        "ordinal": pyarrow.int32(),
    }
    nullable = ("credential", "correlation_id", "causation_id")
    columns = [(name, types.get(name, pyarrow.string())) for name in EventDocument.__struct_fields__]
    return pyarrow.schema([pyarrow.field(name, type, nullable=name in nullable) for name, type in columns])


class _Sink(BytesIO):
    """A file in memory whose content is taken out page by page. pyarrow counts the position in the whole file."""

    def drain(self) -> bytes:
        content = self.getvalue()
        self.seek(0)
        self.truncate()
        return content
