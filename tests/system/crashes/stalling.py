"""A proxy in front of PostgreSQL that can stop forwarding, as a network or a server that hangs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress

from sqlalchemy.engine import make_url


class StallingProxy:
    """Forwards connections to a database until `stall`: then it reads and accepts, and forwards and answers nothing."""

    def __init__(self, database_url: str) -> None:
        self._target = make_url(database_url)
        self._stalled = asyncio.Event()
        self._swallowed = asyncio.Semaphore(0)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def before(cls, database_url: str) -> AsyncIterator["StallingProxy"]:
        """Run a proxy before the database of a URL."""
        proxy = cls(database_url)
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        try:
            yield proxy
        finally:
            proxy._server.close()
            for task in proxy._tasks:
                task.cancel()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)
            await proxy._server.wait_closed()

    @property
    def url(self) -> str:
        """The URL of the database through the proxy."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return self._target.set(port=port).render_as_string(hide_password=False)

    def stall(self) -> None:
        """Forward nothing from now on, and keep every connection open."""
        self._stalled.set()

    async def swallowed(self, times: int) -> None:
        """Return when it has read data that often that it did not forward."""
        for _ in range(times):
            await self._swallowed.acquire()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._target.host, self._target.port)
        self._tasks |= {
            asyncio.create_task(self._forward(source, sink)) for source, sink in ((reader, back), (there, writer))
        }

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError), closing(sink):
            while data := await source.read(1 << 16):
                if self._stalled.is_set():
                    self._swallowed.release()
                else:
                    sink.write(data)
            if self._stalled.is_set():
                await asyncio.Event().wait()  # a server that hangs does not close either
