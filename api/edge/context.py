"""The request that a handler serves, and the services of its process.

FasterAPI has no application state that we could trust, so the boundary sets one context variable for every request.
Always, since uvicorn leaks a pipelined request's context into the next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from hashlib import sha256
from itertools import count
from os import register_at_fork, urandom
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from api.auth.principal import NOBODY, Principal
from api.http.idempotency import command_id, read_key
from api.http.problems import POSITION_NOT_REACHED, Problem
from api.logs import audit
from commands.batch import Recorded
from commands.errors import CommandRejectedError
from commands.item import Command
from eventstore.events import Metadata

if TYPE_CHECKING:
    from api.app import Services  # it imports the resources, which import this module

_WAIT_SECONDS = 1.0  # how long a read waits for `min_position`
_WAIT_PAUSE_SECONDS = 0.02  # between two checks

_id_prefix = ""
_id_counter = count(1)


def new_id() -> str:
    """Return an id that is globally unique and sorts by time, so that the log's index on it grows at one end."""
    return f"{_id_prefix}{next(_id_counter):08x}"


def _renew_id_prefix() -> None:
    global _id_prefix  # noqa: PLW0603
    _id_prefix = f"{time_ns() // 1_000_000:011x}{urandom(5).hex()}"


_renew_id_prefix()
register_at_fork(after_in_child=_renew_id_prefix)  # else both processes would count on under one prefix


class RequestContext(Struct):
    """One request."""

    services: "Services"
    request_id: str
    correlation_id: str | None
    method: str
    path: str
    headers: dict[bytes, bytes]
    address: str  # the client's IP address, or `unknown`
    disconnected: Callable[[], Awaitable[None]]  # waits until the client disconnects, after the body was read
    principal: Principal = NOBODY  # the authenticated client; NOBODY before authentication
    query: Any = None  # the query parameters, as the struct that the route names
    body: bytes = b""
    position: int | None = None  # the log position that the response reflects, once known; sent as `Log-Position`
    #: Whether this is the response of an earlier request with the same key; sent as `Idempotency-Replayed`.
    replayed: bool = False

    @property
    def actor(self) -> str:
        """The client's name in events and logs."""
        return self.principal.actor

    def log_start(self, what: str, after: int) -> None:
        """Log that a long response begins. The request's own log line comes at its end, an hour later or never."""
        who = {"actor": self.actor, "credential": self.principal.credential, "address": self.address}
        audit.info(f"{what} begins", request_id=self.request_id, **who, after=after)

    def set_log_position(self, position: int) -> None:
        """Record that the response reflects the log up to `position`."""
        self.position = position
        self.services.position = max(self.services.position, position)

    async def wait_for_position(self, position: int) -> None:
        """Wait until reads reflect `position`. Raises Problem (503) on timeout."""
        deadline = monotonic() + _WAIT_SECONDS
        while self.services.position < position:
            self.set_log_position(await self.services.items.position())  # one commit updates every projection
            if self.services.position >= position:
                return
            if monotonic() > deadline:
                raise Problem(POSITION_NOT_REACHED)
            await asyncio.sleep(_WAIT_PAUSE_SECONDS)

    async def submit(self, *commands: Command) -> Recorded:
        """Write `commands`, all or none, on behalf of this request; return after COMMIT.

        Raises what Writer.submit raises, and Problem (400) for an invalid `Idempotency-Key`.
        """
        key = read_key(self.headers.get(b"idempotency-key"))
        content = b"%s %s\n%s" % (self.method.encode(), self.path.encode(), self.body)
        client = self.principal
        owner = (client.actor, client.original_credential)
        metadata = Metadata(
            new_id() if key is None else command_id(*owner, self.method, self.path, key),
            client.actor,
            client.credential,
            sha256(content).digest(),
            self.correlation_id,
        )
        try:
            recorded = await self.services.writer.submit(*commands, metadata=metadata, keyed=key is not None)
        except CommandRejectedError as rejection:
            self.set_log_position(rejection.position)
            raise
        self.set_log_position(recorded.position)
        self.replayed = recorded.replayed
        return recorded


current: ContextVar[RequestContext] = ContextVar("request")
