"""What a handler needs to know of the request it serves and of the process it runs in.

FasterAPI has no application state and injects nothing that we could trust with it, so the boundary sets one context
variable for every request: always sets, since uvicorn leaks a pipelined request's context into the next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from hashlib import sha256
from itertools import count
from os import urandom
from time import time_ns
from typing import Any

from msgspec import Struct

from api.problems import OUTCOME_UNKNOWN, Problem
from commands.item import Command
from commands.writer import Recorded
from eventstore.database import Database
from eventstore.events import Metadata
from projections.items import ItemReader

_prefix = f"{time_ns() // 1_000_000:011x}{urandom(5).hex()}"
_counter = count(1)


def new_id() -> str:
    """Give an id that is unique everywhere and sorts by time, so that the log's index on it grows at one end."""
    return f"{_prefix}{next(_counter):08x}"


class Services(Struct):
    """The long-lived parts of a running service; the composition root in `app.py` makes them."""

    database: Database
    #: The schema revision that this code needs.
    schema_head: str
    submit: Callable[[Command, Metadata], Awaitable[Recorded]]
    writer_alive: Callable[[], bool]
    items: ItemReader
    #: The OpenAPI document, encoded.
    openapi: bytes


class RequestContext(Struct):
    """One request."""

    services: Services
    request_id: str
    correlation_id: str | None
    method: str
    path: str
    headers: dict[bytes, bytes]
    #: The query parameters, as the struct that the route names.
    query: Any = None
    body: bytes = b""
    #: The log position that the answer reflects, once that is known; sent as `Log-Position`.
    position: int | None = None

    async def submit(self, command: Command) -> Recorded:
        """Have `command` written on this request's behalf; return after COMMIT.

        Raises what Writer.submit does, and Problem (503, outcome unknown) where a stop is out of patience.
        """
        sent = b"%s %s\n%s" % (self.method.encode(), self.path.encode(), self.body)
        metadata = Metadata(new_id(), "anonymous", sha256(sent).digest(), self.correlation_id)
        try:
            recorded = await self.services.submit(command, metadata)
        except asyncio.CancelledError:
            raise Problem(OUTCOME_UNKNOWN, "The service stopped before the write was known to be committed") from None
        self.position = recorded.position
        return recorded


current: ContextVar[RequestContext] = ContextVar("request")
