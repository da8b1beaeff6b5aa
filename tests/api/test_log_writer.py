"""The log of a service whose standard output nobody reads, or that cannot be written: nothing else notices."""

import errno
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api import log_writer, logs
from api.log_writer import MAX_BYTES, LineWriter
from tests.api.conftest import with_one_item
from tests.support.clients.http import check_problem
from tests.support.service import InProcess

LINE = b"x" * 1023 + b"\n"


class Faulty(io.RawIOBase):
    """A stream whose writes fail, wait or write a part, as the test wants."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.error: int | None = None
        self.most = 1 << 30
        self.open = threading.Event()
        self.open.set()

    def write(self, data: Any) -> int:
        self.open.wait()
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        self.written += data[: self.most]
        return min(len(data), self.most)


def lost(count: int) -> bytes:
    return b"lost %d\n" % count


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    monkeypatch.setattr(log_writer, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(log_writer, "STALL_SECONDS", 0.05)
    faulty = Faulty()
    yield faulty
    faulty.error = None
    faulty.open.set()


@pytest.fixture
def writer(stream: Faulty) -> LineWriter:
    """A writer of its own."""
    made = LineWriter()
    made.redirect(stream, lost)
    return made


def wait_until(holds: Any) -> None:
    """Wait, with a limit that only a fault reaches."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_reader_that_does_not_read_blocks_no_caller_and_lost_lines_are_counted(
    stream: Faulty, writer: LineWriter
) -> None:
    stream.open.clear()
    for _ in range(2000):
        writer.defer(LINE)
    assert writer.lost_lines == 2000 - MAX_BYTES // len(LINE)
    writer.write(b"must\n")  # there is still room for what must be logged
    wait_until(lambda: not writer.is_writable)
    writer.drain(0.01)  # nor does the end of the process wait
    counted = writer.lost_lines
    stream.open.set()
    wait_until(lambda: stream.written.endswith(lost(counted)))
    assert stream.written == LINE * (MAX_BYTES // len(LINE)) + b"must\n" + lost(counted)
    assert writer.is_writable
    assert writer.lost_lines == counted


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EPIPE, errno.EBADF, errno.EIO])
def test_a_write_that_fails_is_repeated_and_no_line_is_cut(stream: Faulty, writer: LineWriter, error: int) -> None:
    stream.most = 5
    stream.error = error
    writer.write(b"a line of the log\n")
    wait_until(lambda: not writer.is_writable)
    writer.drain(60)  # does not wait for what cannot be
    stream.error = None
    writer.defer(b"another\n")
    wait_until(lambda: stream.written == b"a line of the log\nanother\n")
    assert writer.is_writable


def test_a_pipe_without_a_reader_is_noticed_before_anything_is_written() -> None:
    reader, pipe = os.pipe()
    with io.FileIO(pipe, "wb") as file:
        writer = LineWriter()
        writer.redirect(file, lost)
        assert writer.is_writable
        os.close(reader)
        assert not writer.is_writable


def test_a_pipe_that_another_process_made_non_blocking_loses_nothing() -> None:
    reader, pipe = os.pipe()
    os.set_blocking(pipe, False)
    with io.FileIO(pipe, "wb") as file, io.FileIO(reader, "rb") as output:
        writer = LineWriter()
        writer.redirect(file, lost)
        for _ in range(200):
            writer.defer(LINE)
        received = b""
        while len(received) < 200 * len(LINE):
            received += output.read(4096)
        assert received == LINE * 200


def test_the_line_about_lost_lines_is_a_line_of_the_log(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    logs.configure("error")
    line = json.loads(logs._lines._lost_line(7))
    assert line.pop("timestamp")
    assert line == {
        "event": "log lines were lost: standard output could not be written",
        "lines": 7,
        "level": "error",
    }


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    """Let the log of this process fail from now on."""
    monkeypatch.setattr(log_writer, "_RETRY_SECONDS", 0.01)
    faulty = Faulty()
    yield faulty
    faulty.error = None
    logs.configure("info")


async def test_what_must_be_logged_is_refused_while_it_cannot_be(sqlite_url: str, unwritable: Faulty) -> None:
    async with with_one_item(sqlite_url) as service:
        logs._lines.redirect(unwritable, lost)
        unwritable.error = errno.ENOSPC
        assert (await service.client.get("/items/1")).status_code == 200
        wait_until(lambda: not logs.is_writable())
        for path in ("/events", "/events/1", "/audit/items/1", "/log/checkpoint", "/events/export?after=0", "/keys"):
            check_problem(await service.client.get(path), 503, "request-log-unavailable")
        check_problem(await service.client.delete("/keys/00000000"), 503, "request-log-unavailable")
        # What need not be logged goes on.
        assert (await service.client.post("/items", json={"name": "a", "price": 1})).status_code == 201
        assert (await service.client.get("/items/1")).status_code == 200
        ready = await service.client.get("/readyz")
        assert (ready.status_code, ready.json()["request_log"]) == (200, "unavailable")
        unwritable.error = None
        wait_until(logs.is_writable)
        assert (await service.client.get("/events/1")).status_code == 200
        logs.drain()
        assert unwritable.written.count(b'"code":"request-log-unavailable"') == 7  # they are logged after all


async def test_a_failure_that_cannot_be_logged_is_answered_as_otherwise(
    sqlite_url: str, unwritable: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eventstore.errors import StorageFullError

    async def full(*_: object, **__: object) -> None:
        raise StorageFullError from OSError("disk full")

    async with InProcess.over(sqlite_url) as service:
        logs._lines.redirect(unwritable, lost)
        unwritable.error = errno.ENOSPC
        monkeypatch.setattr(service.services.writer, "submit", full)
        for _ in range(3):
            check_problem(await service.client.post("/items", json={"name": "a", "price": 1}), 507, "storage-full")
