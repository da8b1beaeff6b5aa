"""Logs by structlog: JSON lines, or plain text at a terminal. Every value is escaped, so no client can forge a line."""

import json
import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog

_encoder = msgspec.json.Encoder(enc_hook=repr)
#: Traces as data, without the values of variables: those are bodies, credentials and keys.
_transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def encoded(_logger: object, _name: str, event: structlog.typing.EventDict) -> bytes:
    """Return a log line as JSON; values without a JSON form as their `repr`."""
    # In ASCII without control characters: some terminals interpret U+009B as the start of a command.
    line = _encoder.encode(event)
    if not line.isascii():
        line = json.dumps(msgspec.json.decode(line), separators=(",", ":")).encode()
    return line.replace(b"\x7f", b"\\u007f")


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


def configure(level: str, stream: TextIO | None = None) -> None:
    """Configure the logs of this process at `level`: debug, info, warning or error.

    Lines go to standard output. A command whose result is on standard output passes another `stream`.
    """
    stream = stream or sys.stdout
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    # What formats a line, for structlog, and for the standard library, whose lines are text.
    last: list[structlog.typing.Processor]
    foreign: list[structlog.typing.Processor]
    if stream.isatty():
        console = structlog.dev.ConsoleRenderer(repr_native_str=True, exception_formatter=_write_trace)
        last = foreign = [_printable_event, console]
        factory = structlog.PrintLoggerFactory(stream)
    else:
        traces = structlog.processors.ExceptionRenderer(_trace)
        last, foreign = [traces, encoded], [traces, lambda *line: encoded(*line).decode()]
        factory = structlog.BytesLoggerFactory(stream.buffer)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    # uvicorn and Alembic use the standard library: their lines get the same format.
    handler = logging.StreamHandler(stream)
    foreign = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *foreign]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=foreign))
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
