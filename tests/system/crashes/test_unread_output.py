"""Standard output that nobody reads, or whose reader has gone: the service serves on, and stops when it is told to."""

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.api.cli.command import clean_environment
from tests.support.checks import assert_whole
from tests.support.clients.load import ask, new_item
from tests.support.service import ITEMLEDGER, free_port, migrate

_HANG_SECONDS = 60


@contextmanager
def unread(url: str, port: int, workers: int = 1) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a service that writes its log to a pipe of one page, and provide the end that nobody reads."""
    reader, pipe = os.pipe()
    fcntl.fcntl(pipe, 1031, 4096)  # F_SETPIPE_SZ
    command = [str(ITEMLEDGER), "serve", "--port", str(port), "--workers", str(workers)]
    environment = clean_environment(DATABASE_URL=url)
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        os.close(pipe)
        try:
            yield process, reader
        finally:
            process.kill()
            os.close(reader)


async def until(port: int, path: str, status: int) -> None:
    """Ask until the answer has this status."""
    async with asyncio.timeout(_HANG_SECONDS):
        while True:
            try:
                if (await ask(port, "GET", path)).status == status:
                    return
            except OSError:
                pass
            await asyncio.sleep(0.05)


async def test_a_service_whose_output_nobody_reads_serves_and_stops(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    port = free_port()
    with unread(sqlite_url, port) as (process, reader):
        await until(port, "/readyz", 200)
        answers = [(await ask(port, "POST", "/items", new_item("Pen"))).status for _ in range(60)]
        assert answers == [201] * 60  # whose lines are several pages
        await until(port, "/events", 503)
        assert (await ask(port, "GET", "/events")).json()["code"] == "request-log-unavailable"
        os.set_blocking(reader, False)
        while True:  # read, and it goes on
            try:
                os.read(reader, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.02)
            if (await ask(port, "GET", "/events?limit=1")).status == 200:
                break
        for _ in range(60):
            await ask(port, "GET", "/items")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, _HANG_SECONDS) == 0
    await assert_whole(sqlite_url)


async def test_a_service_whose_reader_has_gone_serves_and_stops(sqlite_url: str) -> None:
    await migrate(sqlite_url)
    port = free_port()
    with unread(sqlite_url, port) as (process, reader):
        await until(port, "/readyz", 200)
        away = os.open(os.devnull, os.O_RDONLY)
        os.dup2(away, reader)
        os.close(away)
        assert (await ask(port, "GET", "/events")).status == 503  # not even the first is answered
        assert (await ask(port, "POST", "/items", new_item("Pen"))).status == 201
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, _HANG_SECONDS) == 0
