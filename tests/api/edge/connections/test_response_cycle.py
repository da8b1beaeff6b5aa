"""ResponseCycle writes what uvicorn's own cycle would, and refuses what it refuses."""

import asyncio
import logging
from typing import Any
from unittest.mock import MagicMock

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.edge.response_cycle import ResponseCycle
from api.http.responses import ClientDisconnectedError

LENGTH = (b"content-length", b"2")
TYPE = (b"content-type", b"application/json")


def cycle_of(kind: type[RequestResponseCycle], method: str, *, keep_alive: bool) -> RequestResponseCycle:
    transport = MagicMock(spec=asyncio.Transport)
    cycle = kind(
        scope={"type": "http", "http_version": "1.1", "method": method},  # type: ignore[typeddict-item]
        transport=transport,
        flow=FlowControl(transport),
        logger=logging.getLogger(),
        access_logger=logging.getLogger(),
        access_log=False,
        default_headers=[(b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=MagicMock(),
    )
    cycle.more_body = False  # the request is complete
    return cycle


async def sent(cycle: Any, status: int, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> Any:
    """Send a response; return what was written, and what else a connection notices of it."""
    try:
        await cycle.send({"type": "http.response.start", "status": status, "headers": headers})
        for number, body in enumerate(parts, 1):
            await cycle.send({"type": "http.response.body", "body": body, "more_body": number < len(parts)})
    except RuntimeError as error:
        return str(error), cycle.transport.mock_calls
    written = b"".join(call.args[0] for call in cycle.transport.write.call_args_list)
    ended = cycle.transport.close.call_count, cycle.on_response.call_count
    return written, ended, cycle.response_complete, cycle.keep_alive


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("status", "headers", "parts"),
    [
        (200, [TYPE, LENGTH], [b"{}"]),
        (200, [TYPE, LENGTH, (b"vary", b"origin"), (b"vary", b"accept")], [b"{}"]),
        (200, [TYPE, LENGTH], [b"{", b"}"]),
        (200, [TYPE, LENGTH], [b"too long"]),
        (200, [TYPE, LENGTH], [b""]),
        (200, [TYPE], [b"a stream", b"", b"and its end"]),
        (200, [TYPE, (b"transfer-encoding", b"chunked")], [b"a stream"]),
        (204, [], [b""]),
        (304, [(b"etag", b'"1"')], [b""]),
        (408, [TYPE, LENGTH, (b"connection", b"close")], [b"{}"]),
        (200, [TYPE, LENGTH, (b"x-latin", "é\t".encode("latin-1"))], [b"{}"]),
        *((200, [TYPE, LENGTH, (b"x", b"a%bb" % trick)], [b"{}"]) for trick in (b"\r\n", b"\n", b"\r", b"\0", b"\x7f")),
    ],
)
async def test_a_response_is_written_as_by_uvicorn(
    keep_alive: bool, method: str, status: int, headers: list[tuple[bytes, bytes]], parts: list[bytes]
) -> None:
    theirs, ours = (cycle_of(kind, method, keep_alive=keep_alive) for kind in (RequestResponseCycle, ResponseCycle))
    assert await sent(ours, status, headers, parts) == await sent(theirs, status, headers, parts)


async def test_nothing_is_written_for_a_client_that_has_disconnected() -> None:
    cycle = cycle_of(ResponseCycle, "GET", keep_alive=True)
    cycle.disconnected = True
    with pytest.raises(ClientDisconnectedError, match="disconnected"):
        await sent(cycle, 200, [LENGTH], [b"{}"])
    assert cycle.transport.write.call_count == 0  # type: ignore[attr-defined]


async def test_a_head_waits_while_the_client_reads_nothing() -> None:
    cycle = cycle_of(ResponseCycle, "GET", keep_alive=True)
    cycle.flow.pause_writing()
    sending = asyncio.create_task(sent(cycle, 200, [LENGTH], [b"{}"]))
    await asyncio.sleep(0)
    assert cycle.transport.write.call_count == 0  # type: ignore[attr-defined]
    cycle.flow.resume_writing()
    assert (await sending)[0].startswith(b"HTTP/1.1 200 OK\r\n")
