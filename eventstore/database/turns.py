"""Turns at the read connections: one client with many requests leaves the others their share.

A pool serves the oldest request first: 150 pages that one client asks for at once are read before another's row.
And each page takes the event loop longer than the connection, so a client whose reads wait also rests between them.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from time import monotonic

from eventstore.errors import ReadersBusyError

#: For which client the current task reads; None for the service itself, which is not limited to a share.
reading_for: ContextVar[str | None] = ContextVar("reading_for", default=None)

_SHARES = 4  # one client gets a quarter of the turns while there are others
_SHARED_SECONDS = 1.0  # how long a client counts as present after its last read
_ROW_SECONDS = 40e-6  # of rest for each row: to decode and encode one takes the event loop about 8 microseconds
_WAIT_SECONDS = 2.0


class Turn:
    """One read."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows = 0  # that it has read


class Turns:
    """`size` turns at once. Clients that wait get the next ones in rotation, each for its oldest read."""

    def __init__(self, size: int) -> None:
        self._free = self._size = size
        self._used = Counter[str | None]()
        self._waiting: OrderedDict[str | None, deque[asyncio.Future[None]]] = OrderedDict()
        self._last: str | None = None  # the client that was seen last
        self._shared_until = 0.0  # until when more than one client is present

    def see(self, client: str) -> None:
        """Note that a client is present, also one that reads otherwise."""
        if client != self._last:
            self._shared_until = monotonic() + _SHARED_SECONDS if self._last is not None else 0.0
            self._last = client

    @asynccontextmanager
    async def held(self) -> AsyncIterator["Turn"]:
        """Wait for a turn, and hold it until the block ends, which says how much it read. Raises ReadersBusyError."""
        client = reading_for.get()
        if client not in self._waiting and self._may_take(client):
            self._take(client)
        else:
            await self._wait(client)
        turn = Turn()
        try:
            yield turn
        finally:
            self._free += 1
            if client in self._waiting and client is not None and self._is_shared():
                asyncio.get_running_loop().call_later(turn.rows * _ROW_SECONDS, self._give_back, client)
                self._pass_on()
            else:
                self._give_back(client)

    async def _wait(self, client: str | None) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self._free += 1
                self._give_back(client)
            if isinstance(error, TimeoutError):
                raise ReadersBusyError from None
            raise

    def _give_back(self, client: str | None) -> None:
        self._used[client] -= 1
        if not self._used[client]:
            del self._used[client]
        self._pass_on()

    def _pass_on(self) -> None:
        """Pass the free turns on to clients that wait."""
        for client in tuple(self._waiting):
            if self._may_take(client):
                self._grant(client)

    def _grant(self, client: str | None) -> None:
        """Grant a turn to the client's oldest read that was not cancelled, if there is one."""
        reads = self._waiting.pop(client)
        while reads:
            if not (turn := reads.popleft()).done():
                self._take(client)
                turn.set_result(None)
                break
        if reads:
            self._waiting[client] = reads  # behind the other clients

    def _take(self, client: str | None) -> None:
        self._free -= 1
        self._used[client] += 1

    def _may_take(self, client: str | None) -> bool:
        share = max(1, self._size // _SHARES) if self._is_shared() else self._size
        return self._free > 0 and (client is None or self._used[client] < share)

    def _is_shared(self) -> bool:
        return self._shared_until > 0 and monotonic() < self._shared_until
