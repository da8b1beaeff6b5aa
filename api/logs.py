"""Logs: structlog, JSON lines when nobody watches a terminal. Every value is encoded, so no client can forge a line."""

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
    """Write a line of the log as JSON; what JSON has no form for, as its `repr`.

    The line is ASCII without control characters: some terminals take U+009B for the beginning of a command.
    """
    line = _encoder.encode(event)
    if not line.isascii():
        line = json.dumps(msgspec.json.decode(line), separators=(",", ":")).encode()
    return line.replace(b"\x7f", b"\\u007f")


#: For lines that are written whatever the level.
audit: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET)
)


def summary(error: BaseException) -> str:
    """Tell an error in one line: those behind the first may hold rows and parameters, which are what clients sent."""
    return f"{type(error).__name__}: {_first_line(str(error))}"


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _trace(exc_info: structlog.typing.ExcInfo) -> list[dict[str, Any]]:
    trace = _transform(exc_info)
    _shorten(trace)
    return trace


def _shorten(trace: list[dict[str, Any]]) -> None:
    for error in trace:
        error["exc_value"] = _first_line(error["exc_value"])
        for inner in error["exceptions"]:
            _shorten(inner)


def _tell_trace(out: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """Write the same for people at a terminal."""

    def tell(trace: list[dict[str, Any]], indent: str) -> None:
        for error in trace:
            for frame in error["frames"]:
                out.write(f"\n{indent}{frame['filename']}:{frame['lineno']} in {frame['name']}")
            out.write(f"\n{indent}{error['exc_type']}: {_printable(error['exc_value'])}")
            for inner in error["exceptions"]:
                tell(inner, indent + "    ")

    tell(_trace(exc_info), "    ")


def _printable(text: str) -> str:
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def _printable_event(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {**event, "event": _printable(str(event["event"]))}


def configure(level: str, stream: TextIO | None = None) -> None:
    """Set up logging for this process: `level` is debug, info, warning or error. Lines go to standard output.

    A command whose standard output is its result has them go to another `stream`.
    """
    stream = stream or sys.stdout
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    processors: list[structlog.typing.Processor]
    if stream.isatty():
        processors = [*shared, *_console()]
        factory = structlog.PrintLoggerFactory(stream)
    else:
        processors = [*shared, _traces(), encoded]
        factory = structlog.BytesLoggerFactory(stream.buffer)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    # uvicorn and Alembic log by the standard library: their lines come out in the same shape.
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_foreign(stream)))
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _traces() -> structlog.processors.ExceptionRenderer:
    return structlog.processors.ExceptionRenderer(_trace)


def _console() -> list[structlog.typing.Processor]:
    return [_printable_event, structlog.dev.ConsoleRenderer(repr_native_str=True, exception_formatter=_tell_trace)]


def _foreign(stream: TextIO) -> list[structlog.typing.Processor]:
    tidy: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if stream.isatty():
        return [*tidy, *_console()]
    return [*tidy, _traces(), lambda *given: encoded(*given).decode()]
