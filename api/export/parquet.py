"""Parquet, for analysis: typed, compressed columns, with some 20,000 events per row group.

It needs pyarrow, a large optional dependency: `pip install 'itemledger[parquet]'`.
"""

from collections.abc import Sequence
from io import RawIOBase
from typing import Any

from api.export.encoder import Encoder
from eventstore.log.history import StoredEvent

_ROW_GROUP_EVENTS = 20_000


class MissingExtraError(Exception):
    """pyarrow is not installed."""

    def __str__(self) -> str:
        """Return how to install it."""
        return "Parquet needs pyarrow. Install the `parquet` extra, for example: pip install 'itemledger[parquet]'"


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
        columns = [
            self._pyarrow.array([getattr(event, field.name) for event in events], field.type) for field in self._schema
        ]
        self._batches.append(self._pyarrow.record_batch(columns, schema=self._schema))
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
    """Return the columns, named like the fields of StoredEvent, in the order of EventDocument."""
    integer, text, sha256 = pyarrow.int64(), pyarrow.string(), pyarrow.binary(32)
    columns = {
        "position": integer,
        "item_id": integer,
        "version": integer,
        "type": text,
        "recorded_at": pyarrow.timestamp("us", tz="UTC"),
        "actor": text,
        "command_id": text,
        "ordinal": pyarrow.int32(),
        "correlation_id": text,
        "causation_id": text,
        "data": text,
        "fingerprint": sha256,
        "leaf_hash": sha256,
    }
    nullable = ("correlation_id", "causation_id")
    return pyarrow.schema([pyarrow.field(name, type, nullable=name in nullable) for name, type in columns.items()])


class _Sink(RawIOBase):
    """A file in memory whose content is taken out page by page."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, content: Any) -> int:
        self._parts.append(bytes(content))
        self._position += len(content)
        return len(content)

    def drain(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content
