"""Parquet, for those who analyse: the columns of the log with their types, compressed, some 20,000 events a row group.

It takes pyarrow, which is large, and an extra: `pip install 'itemledger[parquet]'`.
"""

from collections.abc import Sequence
from io import RawIOBase
from typing import Any

from eventstore.log.history import StoredEvent

#: Events of a row group.
_GROUP = 20_000


class MissingExtraError(Exception):
    """Parquet takes pyarrow: install the extra `parquet`, as with `pip install 'itemledger[parquet]'`."""

    def __str__(self) -> str:
        """Give the docstring, which is the message."""
        return self.__doc__ or ""


class ParquetEncoder:
    """See formats.Encoder. It can't go on behind what was written before: a file ends with where its parts are."""

    def __init__(self, origin: str, resumed: bool) -> None:
        """Raises MissingExtraError."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise MissingExtraError from None
        pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # its own keeps more than it has use for
        self._pyarrow = pyarrow
        self._schema = _schema(pyarrow)
        self._sink = _Sink()
        self._writer = pyarrow.parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._group: list[Any] = []
        self._size = 0

    def begin(self) -> bytes:
        """Give what a file begins with."""
        return self._sink.drain()

    def page(self, events: Sequence[StoredEvent]) -> bytes:
        """Give a row group, once there are enough events for it."""
        columns = zip(*(_values(event) for event in events), strict=True)
        arrays = [self._pyarrow.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._group.append(self._pyarrow.record_batch(arrays, schema=self._schema))
        self._size += len(events)
        if self._size >= _GROUP:
            self._write_group()
        return self._sink.drain()

    def end(self) -> bytes:
        """Give the last row group, and where all of them are."""
        if self._group:
            self._write_group()
        self._writer.close()
        return self._sink.drain()

    def _write_group(self) -> None:
        table = self._pyarrow.Table.from_batches(self._group, self._schema)
        self._writer.write_table(table, row_group_size=self._size)
        self._group, self._size = [], 0


def _values(event: StoredEvent) -> tuple[object, ...]:
    return (
        event.position,
        event.item_id,
        event.version,
        event.type,
        event.recorded_at,
        event.actor,
        event.command_id,
        event.ordinal,
        event.correlation_id,
        event.causation_id,
        event.data,
        event.fingerprint,
        event.leaf_hash,
    )


def _schema(pyarrow: Any) -> Any:
    """Give the columns, in the order of `_values`."""
    integer, text, sha256 = pyarrow.int64(), pyarrow.string(), pyarrow.binary(32)
    columns = [
        ("position", integer),
        ("item_id", integer),
        ("version", integer),
        ("type", text),
        ("recorded_at", pyarrow.timestamp("us", tz="UTC")),
        ("actor", text),
        ("command_id", text),
        ("ordinal", pyarrow.int32()),
        ("correlation_id", text),
        ("causation_id", text),
        ("data", text),
        ("fingerprint", sha256),
        ("leaf_hash", sha256),
    ]
    nullable = ("correlation_id", "causation_id")
    return pyarrow.schema([pyarrow.field(name, type, nullable=name in nullable) for name, type in columns])


class _Sink(RawIOBase):
    """A file whose content is taken away as it comes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, text: Any) -> int:
        self._parts.append(bytes(text))
        self._position += len(text)
        return len(text)

    def drain(self) -> bytes:
        """Give what was written since the last time."""
        text = b"".join(self._parts)
        self._parts.clear()
        return text
