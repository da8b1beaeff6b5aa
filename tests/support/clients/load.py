"""A small, quick HTTP/1.1 client for load: it hides nothing, retries nothing, and says when a connection was lost."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

from msgspec import Struct

#: Longer than any answer may take; a test that waits this long has found a hang.
PATIENCE = 300


class LostError(Exception):
    """The connection ended before the answer was whole."""


class Answer(Struct, frozen=True):
    """What came back. The names of `headers` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body; its numbers with a fraction are exact."""
        return json.loads(self.body, parse_float=Decimal)

    @property
    def position(self) -> int:
        """The log position that the answer is of."""
        return int(self.headers["log-position"])


class Client:
    """One keep-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def connected(cls, port: int) -> AsyncIterator["Client"]:
        """Hold a connection open. Raises ConnectionRefusedError."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def ask(self, method: str, path: str, body: bytes | None = None, key: str | None = None) -> Answer:
        """Send a request and wait for its answer. Raises LostError."""
        await self.send(request(method, path, body, key))
        return await self.receive(method)

    async def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises LostError."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError as error:
            raise LostError from error

    async def receive(self, method: str = "GET") -> Answer:
        """Wait for an answer and read it whole. Raises LostError."""
        try:
            async with asyncio.timeout(PATIENCE):
                head = await self.reader.readuntil(b"\r\n\r\n")
                status_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
                return Answer(int(status_line.split(" ")[1]), headers, await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise LostError from error


def request(method: str, path: str, body: bytes | None = None, key: str | None = None) -> bytes:
    """Write a request, with an `Idempotency-Key` where it has one."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if key is not None:
        head += f"Idempotency-Key: {key}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + (body or b"")


def new_item(name: str, price: str = "1.5", in_stock: bool = True) -> bytes:
    """Write the body that creates an item; the price goes out as the number it says."""
    # Not json.dumps as a whole: it would make a float of the price.
    return b'{"name":%b,"price":%b,"in_stock":%b}' % (
        json.dumps(name, ensure_ascii=False).encode(),
        price.encode(),
        b"true" if in_stock else b"false",
    )


async def ask(port: int, method: str, path: str, body: bytes | None = None) -> Answer:
    """Send one request on a connection of its own."""
    async with Client.connected(port) as client:
        return await client.ask(method, path, body)


async def list_items(port: int, limit: int = 1000) -> list[dict[str, Any]]:
    """List all items, page by page."""
    items: list[dict[str, Any]] = []
    path: str | None = f"/items?limit={limit}"
    async with Client.connected(port) as client:
        while path:
            page = await client.ask("GET", path)
            assert page.status == 200, page
            items += page.json()
            following = re.search(r'<([^>]*)>; rel="next"', page.headers["link"])
            path = following and following[1]
    return items
