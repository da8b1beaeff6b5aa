"""Logs by structlog: JSON lines, or plain text at a terminal. Every value is escaped, so no client can forge a line.

The line of a request is one struct, since structlog's chain takes a fifth of a POST. At a terminal it takes the chain.
"""

import atexit
import io
import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO, Literal, TextIO, cast

import msgspec
import structlog
from msgspec import UNSET, Struct, UnsetType, field

from api.log_writer import LineWriter

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


class _Handler(logging.Handler):
    """Passes the lines of the standard library to the log."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _lines.write(self.format(record).encode(errors="backslashreplace") + b"\n")
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
    #: Why the client did not get the whole response: disconnected, answer-timeout, error.
    cut: str | UnsetType = UNSET
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
_DRAIN_SECONDS = 1.0
_level = logging.INFO  # the least severe one that is written
_lines = LineWriter()
_as_text = True  # at a terminal


def log_request(line: RequestLine, *, at_any_level: bool, audited: bool = False) -> None:
    """Write the line of a request soon, together with those of other requests."""
    if not at_any_level and _LEVELS[line.level] < _level:
        return
    if not _as_text:
        (_lines.write if audited else _lines.defer)(_encoded(line) + b"\n")
        return
    fields = {name: getattr(line, name) for name in line.__struct_fields__ if name not in ("level", "timestamp")}
    getattr(audit, line.level)(**{name: value for name, value in fields.items() if value is not UNSET})


def is_writable() -> bool:
    """Return whether lines can be written now: whether an access that must be logged may take place."""
    return _lines.is_writable


def lost_lines() -> int:
    """Return how many lines this process has lost since its start."""
    return _lines.lost_lines


@atexit.register
def drain() -> None:
    """Write what is pending, if that is possible: a reader that does not read must not keep the process."""
    _lines.drain(_DRAIN_SECONDS)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Configure the logs of this process at `level`: debug, info, warning or error.

    Lines go to standard output. A command whose result is on standard output passes another `stream`.
    """
    global _level, _as_text  # noqa: PLW0603  (one log for the process)
    drain()
    stream = stream or sys.stdout
    _level = number = logging.getLevelNamesMapping()[level.upper()]
    _as_text = stream.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # What formats a line, for structlog, and for the standard library, whose lines are text.
    formats: list[structlog.typing.Processor]
    if _as_text:
        console = structlog.dev.ConsoleRenderer(repr_native_str=True, exception_formatter=_write_trace)
        formats = [_printable_event, console]
        to_bytes = partial(_to_bytes, stream.encoding)
    else:
        formats = [structlog.processors.ExceptionRenderer(_trace), lambda *line: encoded(*line).decode()]
        to_bytes = partial(_to_bytes, "ascii")
    _lines.redirect(_unbuffered(stream), partial(_lost_line, [*shared, *formats, to_bytes]))
    structlog.configure(
        processors=[*shared, *formats, to_bytes],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _lines)),
        cache_logger_on_first_use=True,
    )
    # uvicorn and Alembic use the standard library: their lines get the same format.
    handler = _Handler()
    foreign = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *formats]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=foreign))
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _to_bytes(encoding: str, _logger: object, _name: str, text: structlog.typing.EventDict) -> bytes:
    return str(text).encode(encoding, "backslashreplace")


def _lost_line(processors: Sequence[structlog.typing.Processor], count: int) -> bytes:
    line: Any = {"event": "log lines were lost: standard output could not be written", "lines": count}
    for process in processors:
        line = process(None, "error", line)
    return cast("bytes", line) + b"\n"


def _unbuffered(stream: TextIO) -> Any:
    """Return the file under a text stream, whose every write succeeds or fails at once."""
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if isinstance(raw, io.FileIO) and raw.fileno() <= 2:
        return io.FileIO(raw.fileno(), "wb", closefd=False)  # not a subclass that hides a failure
    return raw
