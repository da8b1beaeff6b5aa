"""An offer to upgrade changes nothing, wherever the network splits the bytes. Without sockets, since many are tried."""

import asyncio
import re
import socket
from collections.abc import Callable
from unittest.mock import MagicMock

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from api.edge.client_timeouts import TimeoutHttpProtocol
from tests.support.service import InProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = b"POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
HIDDEN = HEAD + b'Content-Length: 27\r\n\r\n{"name":"hidden","price":1}'
ITEM = b'{"name":"whole","price":1}'
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
SIZED = HEAD + OFFER + b"Content-Length: %d\r\n\r\n" % len(ITEM) + ITEM + LIVEZ
CHUNKED = HEAD + OFFER + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n" % (len(ITEM), ITEM, OFFER) + LIVEZ
REQUEST_IN_BODY = HEAD + OFFER + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN + LIVEZ
OFFERS_IN_A_ROW = (
    LIVEZ + HEAD + OFFER + b"Content-Length: 0\r\n\r\n" + LIVEZ.replace(b"\r\n\r\n", b"\r\n" + OFFER + b"\r\n")
)


async def statuses_for(service: InProcess, packets: list[bytes]) -> list[int]:
    """Return the statuses of the answers to the packets."""
    written: list[bytes] = []
    transport = MagicMock(spec=asyncio.Transport)
    transport.is_closing.return_value = False
    transport.get_write_buffer_size.return_value = 0
    kernel = MagicMock(spec=socket.socket)
    kernel.getpeername.return_value = kernel.getsockname.return_value = ("127.0.0.1", 1)
    transport.get_extra_info.side_effect = {"socket": kernel}.get
    transport.write.side_effect = written.append
    config = Config(service.app, log_config=None, lifespan="off", proxy_headers=False)
    protocol = TimeoutHttpProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(transport)
    for packet in packets:
        protocol.data_received(packet)
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while protocol.tasks:  # the end of one begins the next
            await asyncio.gather(*protocol.tasks)
    protocol.connection_lost(None)
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", b"".join(written))]


CASES = {"sized": (SIZED, [201, 200]), "chunked": (CHUNKED, [201, 200])}
CASES |= {"a request in the body": (REQUEST_IN_BODY, [422, 200]), "in a row": (OFFERS_IN_A_ROW, [200, 422, 200])}


async def positions(service: InProcess) -> int:
    return await service.services.items.position()


def places(data: bytes) -> list[int]:
    """Return each place around the end of the first head, and some of the others."""
    end = data.index(b"\r\n\r\n")
    return sorted({*range(1, len(data), 16), *range(end - 2, min(end + 9, len(data)))})


SPLITS: dict[str, Callable[[bytes], list[list[bytes]]]] = {
    "in two packets": lambda data: [[data[:place], data[place:]] for place in places(data)],
    "byte by byte": lambda data: [[data[place : place + 1] for place in range(len(data))]],
}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("case", CASES)
async def test_the_body_is_the_body_wherever_the_packets_end(
    shared_on_sqlite: InProcess, case: str, split: str
) -> None:
    data, expected = CASES[case]
    before = await positions(shared_on_sqlite)
    ways = SPLITS[split](data)
    for packets in ways:
        assert await statuses_for(shared_on_sqlite, packets) == expected, packets
    assert await positions(shared_on_sqlite) == before + expected.count(201) * len(ways), (
        "the body was executed as a request"
    )
