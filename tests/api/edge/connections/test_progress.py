"""What a client takes keeps its connection, whatever the buffers between hold. Time is a parameter."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from api.edge.progress import MAX_TIMEOUTS, Progress

TIMEOUT = 10.0


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return both ends of a connection of which the second reads little at once."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        client.connect(listening.getsockname())
        server, _ = listening.accept()
        with server:
            server.setblocking(False)
            yield server, client


def fill(server: socket.socket) -> None:
    """Send until the buffers are full."""
    for _ in range(3):
        try:
            while True:
                server.send(b"x" * 65536)
        except BlockingIOError:
            time.sleep(0.05)


def test_a_client_that_takes_nothing_has_stalled_after_the_timeout() -> None:
    with connected() as (server, _client):
        fill(server)
        progress = Progress(server, TIMEOUT)
        assert not progress.has_stalled(100.0, buffered=True)
        assert not progress.has_stalled(109.9, buffered=True)
        assert progress.has_stalled(110.0, buffered=True)


def test_what_the_kernel_holds_counts_where_the_transport_has_nothing() -> None:
    with connected() as (server, _client):
        fill(server)
        progress = Progress(server, TIMEOUT)
        assert not progress.has_stalled(100.0, buffered=False)
        assert progress.is_awaited
        assert progress.has_stalled(110.0, buffered=False)


def test_each_thousand_bytes_that_are_taken_are_worth_a_second() -> None:
    with connected() as (server, client):
        progress = Progress(server, TIMEOUT)
        fill(server)
        now = 100.0
        assert not progress.has_stalled(now, buffered=True)
        for _ in range(20):  # 16 kB in 9 s each, for three minutes
            taken = 0
            while taken < 16_000:
                taken += len(client.recv(16_000))
            fill(server)
            now += 9.0
            assert not progress.has_stalled(now, buffered=True)
        assert progress.has_stalled(now + MAX_TIMEOUTS * TIMEOUT, buffered=True), "what it took before counts on"


def test_what_was_taken_at_once_does_not_count_for_ever() -> None:
    with connected() as (server, client):
        progress = Progress(server, TIMEOUT)
        fill(server)
        assert not progress.has_stalled(100.0, buffered=True)
        taken = 0
        while taken < 500_000:
            taken += len(client.recv(65536))
            with suppress(BlockingIOError):
                server.send(b"x" * 65536)
        assert not progress.has_stalled(101.0, buffered=True)
        assert progress.has_stalled(101.0 + MAX_TIMEOUTS * TIMEOUT, buffered=True)


def test_nothing_is_awaited_of_a_client_that_has_taken_all() -> None:
    with connected() as (server, client):
        progress = Progress(server, TIMEOUT)
        server.send(b"x")
        client.recv(1)
        deadline = time.monotonic() + 60
        while progress.has_stalled(0.0, buffered=False) or progress.is_awaited:  # until it is acknowledged
            assert time.monotonic() < deadline
        assert not progress.has_stalled(1e9, buffered=False)
        assert not progress.has_stalled(1e9 + 1, buffered=True), "the timeout begins when something is unsent"
