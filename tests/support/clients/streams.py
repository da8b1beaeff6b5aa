"""Clients of event streams: over ASGI without a socket, and over a socket as raw as it gets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from api.http.responses import AsgiScope, Message
from tests.support.clients.http import DISCONNECT, Application
from tests.support.clients.load import LostError
from tests.support.clients.sse import EventReader

#: Seconds after which a test hangs, however busy the machine.
PATIENCE = 300
PATH = "/events/stream"


async def until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Return when something is so. Raises TimeoutError."""
    async with asyncio.timeout(patience):
        while not true():  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.01)


class InProcessStream:
    """A stream from an application in this process; its answer is that of a stream or a problem."""

    def __init__(self, app: Application, query: str, method: str, headers: Mapping[str, str]) -> None:
        scope: AsgiScope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": query.encode(),
            "headers": [(n.lower().encode(), value.encode()) for n, value in {"host": "localhost", **headers}.items()],
        }
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._outgoing: asyncio.Queue[Message] = asyncio.Queue()
        #: Cleared, the application's `send` waits as it does for a client that does not read.
        self.reads = asyncio.Event()
        self.reads.set()
        self._incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.task = asyncio.ensure_future(app(scope, self._incoming.get, self._send))
        self.reader = EventReader()
        self.answer = httpx.Response(0)

    async def _send(self, message: Message) -> None:
        await self.reads.wait()
        self._outgoing.put_nowait(message)

    async def begin(self) -> httpx.Response:
        """Wait for the answer's status and headers."""
        start = await self.message()
        return httpx.Response(start["status"], headers=start["headers"])

    async def message(self) -> Message:
        """Return the next ASGI message."""
        return await asyncio.wait_for(self._outgoing.get(), PATIENCE)

    async def take(self, count: int) -> list[dict[str, Any]]:
        """Read until there are `count` events more; return their documents."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                message = await self.message()
                assert message.get("more_body"), "the stream has ended"
                for event in self.reader.feed(message["body"]):
                    document = json.loads(event.data)
                    assert event.id == str(document["position"])
                    found.append(document)
        assert len(found) == count
        return found

    async def quiet(self, so: Callable[[], bool]) -> None:
        """Read until something is so; fail at an event, or where it takes too long."""
        async with asyncio.timeout(PATIENCE):
            while not so():
                assert list(self.reader.feed((await self.message())["body"])) == []

    async def rest(self) -> bytes:
        """Read until the end; return what came."""
        body = b""
        async with asyncio.timeout(PATIENCE):
            while (message := await self.message()).get("more_body"):
                body += message["body"]
        await self.ended()
        last: bytes = message.get("body", b"")
        return body + last

    async def leave(self) -> None:
        """Disconnect, and wait until the application has noticed."""
        self._incoming.put_nowait(DISCONNECT)
        self.reads.set()
        await self.ended()

    async def ended(self) -> None:
        """Wait until the application is done with it."""
        # Not a timeout around it: that would cancel it, and the application takes that for a stop.
        await asyncio.wait([self.task], timeout=PATIENCE)
        assert self.task.done(), "the application goes on"
        self.task.result()


@asynccontextmanager
async def streaming(
    app: Application, query: str = "", *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> AsyncIterator[InProcessStream]:
    """Request a stream, and disconnect at the end."""
    stream = InProcessStream(app, query, method, headers or {})
    try:
        yield stream
    finally:
        await stream.leave()


class Consumer:
    """A subscriber that reconnects as an `EventSource` does, and counts what it gets."""

    def __init__(self, query: str = "") -> None:
        self._query = query
        self.reader = EventReader()
        #: The positions of all events that came.
        self.positions: list[int] = []
        self.connections = 0

    async def follow(self, port: int) -> None:
        """Read from a new connection, until it or the stream ends. Raises LostError, and OSError."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        try:
            resume = f"Last-Event-ID: {self.reader.last_event_id}\r\n" if self.reader.last_event_id else ""
            writer.write(f"GET {PATH}{self._query} HTTP/1.1\r\nHost: localhost\r\n{resume}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise LostError(head.decode())
            self.connections += 1
            # What was half read is lost with the connection.
            self.reader = EventReader(self.reader.last_event_id)
            while size := int(await reader.readuntil(b"\r\n"), 16):
                for event in self.reader.feed(await reader.readexactly(size)):
                    self.positions.append(json.loads(event.data)["position"])
                await reader.readexactly(2)
        except asyncio.IncompleteReadError as error:
            raise LostError from error
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
