"""Logs: structlog, JSON lines when nobody watches a terminal. Every value is encoded, so no client can forge a line."""

import logging
import sys
from typing import Any

import msgspec
import structlog

_encoder = msgspec.json.Encoder(enc_hook=repr)


def _json(_logger: object, _name: str, event: structlog.typing.EventDict) -> bytes:
    return _encoder.encode(event)


def configure(level: str) -> None:
    """Set up logging for this process: `level` is debug, info, warning or error. Lines go to standard output."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    processors: list[structlog.typing.Processor]
    if sys.stdout.isatty():
        processors = [*shared, structlog.dev.ConsoleRenderer()]
        factory = structlog.PrintLoggerFactory()
    else:
        processors = [*shared, structlog.processors.dict_tracebacks, _json]
        factory = structlog.BytesLoggerFactory(sys.stdout.buffer)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    # uvicorn and Alembic log by the standard library: their lines come out in the same shape.
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_foreign()))
    logging.basicConfig(level=max(number, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _foreign() -> list[structlog.typing.Processor]:
    tidy: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if sys.stdout.isatty():
        return [*tidy, structlog.dev.ConsoleRenderer()]
    return [*tidy, structlog.processors.dict_tracebacks, lambda *given: _json(*given).decode()]
