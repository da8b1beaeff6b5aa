"""Logs: structlog, JSON lines when nobody watches a terminal. Every value is encoded, so no client can forge a line."""

import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog

_encoder = msgspec.json.Encoder(enc_hook=repr)
#: Traces as data, without the values of variables: those are bodies, credentials and keys.
_traces = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def encoded(_logger: object, _name: str, event: structlog.typing.EventDict) -> bytes:
    """Write a line of the log as JSON; what JSON has no form for, as its `repr`."""
    return _encoder.encode(event)


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
        processors = [*shared, _console()]
        factory = structlog.PrintLoggerFactory(stream)
    else:
        processors = [*shared, _traces, encoded]
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


def _console() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _foreign(stream: TextIO) -> list[structlog.typing.Processor]:
    tidy: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if stream.isatty():
        return [*tidy, _console()]
    return [*tidy, _traces, lambda *given: encoded(*given).decode()]
