"""Logs by structlog: JSON lines, or plain text at a terminal. Every value is escaped, so no client can forge a line.

The line of a request is one struct, since structlog's chain takes a fifth of a POST. At a terminal it takes the chain.
"""

import asyncio
import atexit
import json
import logging
import sys
from datetime import UTC, datetime
from functools import partial
from threading import RLock
from typing import Any, BinaryIO, Literal, TextIO, cast

import msgspec
import structlog
from msgspec import UNSET, Struct, UnsetType, field

_encoder = msgspec.json.Encoder(enc_hook=repr)
#: Traces as data, without the values of variables: those are bodies, credentials and keys.
_transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def encoded(_logger: object, _name: str, event: structlog.typing.EventDict) -> bytes:
    """Return a log line as JSON; values without a JSON form as their `repr`."""
    return _encoded(event)


def _encoded(fields: structlog.typing.EventDict | Struct) -> bytes:
    # In ASCII without control characters: some terminals interpret U+009B as the start of a command.
    line = _encoder.encode(fields)
    if not line.isascii():
        line = json.dumps(msgspec.json.decode(line), separators=(",", ":")).encode()
    return line.replace(b"\x7f", b"\\u007f")


class LineWriter:
    """Writes lines to a stream in the order in which they were logged, by any thread.

    Deferred lines are written together when the event loop has finished its turn; any other line at once, after them.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._pending: list[bytes] = []
        self._lock = RLock()  # a signal handler may log while its thread holds it

    def defer(self, line: bytes) -> None:
        """Write `line` soon. Call it in the event loop's thread."""
        with self._lock:
            self._pending.append(line)
            if len(self._pending) == 1:
                asyncio.get_running_loop().call_soon(self.flush)

    def write(self, line: bytes) -> None:
        """Write `line` now, as structlog expects of a file."""
        with self._lock:
            self._pending.append(line)
            self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        with self._lock:
            lines, self._pending = self._pending, []
            if lines:
                self._stream.write(b"".join(lines))
                self._stream.flush()


class _Handler(logging.Handler):
    """Passes the lines of the standard library to a LineWriter."""

    def __init__(self, lines: LineWriter) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.write(self.format(record).encode() + b"\n")
        except Exception:
            self.handleError(record)


class RequestLine(Struct, frozen=True, kw_only=True):
    """The log line of a request. Absent fields are not written."""

    request_id: str
    actor: str
    credential: str | None = None  # None for an anonymous request
    address: str
    method: str
    route: str | None
    status: int | None  # 0: the client disconnected before its request was complete
    code: str | None
    position: int | None
    duration_ms: float
    reason: str | UnsetType = UNSET
    key_id: str | UnsetType | None = UNSET
    scope: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    filter: Any = UNSET
    event: str = "request"
    level: Literal["info", "warning"] = "info"
    timestamp: datetime = field(default_factory=partial(datetime.now, UTC))


#: For lines that are written at any level.
audit: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET)
)


def summary(error: BaseException) -> str:
    """Return an error in one line. Later lines may contain rows and parameters, which are clients' data."""
    first_line, _, _ = str(error).partition("\n")
    return f"{type(error).__name__}: {first_line}"


def _trace(exc_info: structlog.typing.ExcInfo) -> list[dict[str, Any]]:
    def shorten(trace: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for error in trace:
            error["exc_value"] = error["exc_value"].partition("\n")[0]
            for inner in error["exceptions"]:
                shorten(inner)
        return trace

    return shorten(_transform(exc_info))


def _write_trace(out: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """Write a trace to a terminal."""

    def write(trace: list[dict[str, Any]], indent: str) -> None:
        for error in trace:
            for frame in error["frames"]:
                out.write(f"\n{indent}{frame['filename']}:{frame['lineno']} in {frame['name']}")
            out.write(f"\n{indent}{error['exc_type']}: {_printable(error['exc_value'])}")
            for inner in error["exceptions"]:
                write(inner, indent + "    ")

    write(_trace(exc_info), "    ")


def _printable(text: str) -> str:
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def _printable_event(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {**event, "event": _printable(str(event["event"]))}


_LEVELS = {"info": logging.INFO, "warning": logging.WARNING}
_level = logging.INFO  # the least severe one that is written
_lines: LineWriter | None = None  # None at a terminal


def log_request(line: RequestLine, *, at_any_level: bool) -> None:
    """Write the line of a request: soon, together with those of the other requests of this turn of the event loop."""
    if not at_any_level and _LEVELS[line.level] < _level:
        return
    if _lines is not None:
        _lines.defer(_encoded(line) + b"\n")
        return
    fields = {name: getattr(line, name) for name in line.__struct_fields__ if name not in ("level", "timestamp")}
    getattr(audit, line.level)(**{name: value for name, value in fields.items() if value is not UNSET})


@atexit.register
def flush() -> None:
    """Write what is pending."""
    if _lines is not None:
        _lines.flush()


def configure(level: str, stream: TextIO | None = None) -> None:
    """Configure the logs of this process at `level`: debug, info, warning or error.

    Lines go to standard output. A command whose result is on standard output passes another `stream`.
    """
    global _level, _lines  # noqa: PLW0603  (one log for the process)
    flush()
    stream = stream or sys.stdout
    _level = number = logging.getLevelNamesMapping()[level.upper()]
    _lines = None if stream.isatty() else LineWriter(stream.buffer)
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    # What formats a line, for structlog, and for the standard library, whose lines are text.
    last: list[structlog.typing.Processor]
    foreign: list[structlog.typing.Processor]
    handler: logging.Handler
    if _lines is None:
        console = structlog.dev.ConsoleRenderer(repr_native_str=True, exception_formatter=_write_trace)
        last = foreign = [_printable_event, console]
        factory = structlog.PrintLoggerFactory(stream)
        handler = logging.StreamHandler(stream)
    else:
        traces = structlog.processors.ExceptionRenderer(_trace)
        last, foreign = [traces, encoded], [traces, lambda *line: encoded(*line).decode()]
        factory = structlog.BytesLoggerFactory(cast("BinaryIO", _lines))
        handler = _Handler(_lines)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    # uvicorn and Alembic use the standard library: their lines get the same format.
    foreign = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *foreign]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=foreign))
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
