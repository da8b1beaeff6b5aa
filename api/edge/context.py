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
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from api.auth.principal import NOBODY, Principal
from api.http import idempotency
from api.http.problems import OUTCOME_UNKNOWN, POSITION_NOT_REACHED, Problem
from api.logs import audit
from commands.batch import Recorded
from commands.errors import CommandRejectedError
from commands.item import Command
from eventstore.events import Metadata

if TYPE_CHECKING:
    from api.services import Services  # it holds what the resources made, which import this module

#: How long a read waits for the state it is to be of, and how long between two looks, in seconds.
_WAIT_SECONDS = 1.0
_WAIT_PAUSE = 0.02

_prefix = f"{time_ns() // 1_000_000:011x}{urandom(5).hex()}"
_counter = count(1)


def new_id() -> str:
    """Give an id that is unique everywhere and sorts by time, so that the log's index on it grows at one end."""
    return f"{_prefix}{next(_counter):08x}"


class RequestContext(Struct):
    """One request."""

    services: "Services"
    request_id: str
    correlation_id: str | None
    method: str
    path: str
    headers: dict[bytes, bytes]
    #: The client's IP address, or `unknown`.
    address: str
    #: Waits until the client is gone; its request has been read whole before.
    disconnected: Callable[[], Awaitable[None]]
    #: Who makes it: nobody in particular until the gate has said so.
    principal: Principal = NOBODY
    #: The query parameters, as the struct that the route names.
    query: Any = None
    body: bytes = b""
    #: The log position that the answer reflects, once that is known; sent as `Log-Position`.
    position: int | None = None
    #: Whether the answer is that of an earlier request with the same key; sent as `Idempotency-Replayed`.
    replayed: bool = False

    @property
    def actor(self) -> str:
        """Who makes the request, as events and the log name them."""
        return self.principal.actor

    def log_start(self, what: str, after: int) -> None:
        """Write a line of the log as a long answer begins, of events behind `after`.

        The request's own line comes at its end, in an hour perhaps, or never.
        """
        audit.info(f"{what} begins", request_id=self.request_id, actor=self.actor, address=self.address, after=after)

    def set_log_position(self, position: int) -> None:
        """Say that the answer reflects the log up to `position`."""
        self.position = position
        self.services.position = max(self.services.position, position)

    async def wait_for_position(self, position: int) -> None:
        """Return once reads are of `position` or later. Raises Problem (503) where that takes too long.

        It asks of items alone: one commit takes every projection there.
        """
        deadline = monotonic() + _WAIT_SECONDS
        while self.services.position < position:
            self.set_log_position(await self.services.items.position())
            if self.services.position >= position:
                return
            if monotonic() > deadline:
                raise Problem(POSITION_NOT_REACHED)
            await asyncio.sleep(_WAIT_PAUSE)

    async def submit(self, *commands: Command) -> Recorded:
        """Have `commands` written, all or none, on this request's behalf; return after COMMIT.

        Raises what Writer.submit does, and Problem: 400 for an unreadable `Idempotency-Key`, 503 (outcome unknown)
        where a stop is out of patience.
        """
        key = idempotency.read_key(self.headers.get(b"idempotency-key"))
        sent = b"%s %s\n%s" % (self.method.encode(), self.path.encode(), self.body)
        metadata = Metadata(
            new_id() if key is None else idempotency.command_id(self.actor, self.method, self.path, key),
            self.actor,
            sha256(sent).digest(),
            self.correlation_id,
        )
        writer = self.services.writer
        try:
            recorded = await writer.submit(*commands, metadata=metadata, keyed=key is not None)
        except asyncio.CancelledError:
            raise Problem(OUTCOME_UNKNOWN, "The service stopped before the write was known to be committed") from None
        except CommandRejectedError as rejection:
            self.set_log_position(rejection.position)
            raise
        self.set_log_position(recorded.position)
        self.replayed = recorded.replayed
        return recorded


current: ContextVar[RequestContext] = ContextVar("request")
