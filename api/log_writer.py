"""Writes the lines of the log in a thread, so that a reader that stops reading them stops nothing else."""

import io
import select
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import RLock, Thread
from time import monotonic, sleep
from typing import Any

#: Bytes of lines that wait while they cannot be written. Then lines are lost, and counted. Audit lines have twice that.
MAX_BYTES = 1024 * 1024
#: Lines that are logged in this time are one write: one for each would cost a request more than the line itself.
_GATHER_SECONDS = 0.005
#: How long a write may take before the log counts as one that cannot be written.
STALL_SECONDS = 1.0
_RETRY_SECONDS = 1.0
#: What is written at once. A reader that is only slow takes that much before the log counts as stalled.
_WRITE_BYTES = 64 * 1024


class LineWriter:
    """Writes lines to a stream in the order in which they were logged, by any thread. Never blocks and never raises."""

    def __init__(self) -> None:
        self._lock = RLock()  # a signal handler may log while its thread holds it
        self._pending: list[bytes] = []
        self._unwritten = b""
        self._waiting_bytes = 0  # of both
        self._wake = SimpleQueue[None]()  # whose `put` a signal handler may call, too
        self._thread: Thread | None = None
        self._began: float | None = None  # when the write began that has not ended
        self._failed = False
        self._lost = 0  # since the last line that said so
        #: Lines that were lost since the start.
        self.lost_lines = 0
        self.redirect(io.BytesIO(), lambda _: b"")

    def redirect(self, stream: Any, lost_line: Callable[[int], bytes]) -> None:
        """Write to a binary stream without a buffer, from now on. `lost_line` returns the line for lost ones."""
        with self._lock:
            self._stream, self._lost_line, self._failed = stream, lost_line, False
            self._pending, self._unwritten, self._waiting_bytes = [], b"", 0
        self._descriptor = -1
        with suppress(AttributeError, OSError, ValueError):  # a test's stream may have none
            self._descriptor = stream.fileno()

    def write(self, line: bytes) -> None:
        """Write `line` soon. Where the stream cannot be written, it is kept longer than other lines."""
        self.defer(line, MAX_BYTES * 2)

    def defer(self, line: bytes, max_bytes: int = MAX_BYTES) -> None:
        """Write `line` soon. Where more than `max_bytes` would wait, it is lost, and counted."""
        with self._lock:
            if self._waiting_bytes + len(line) > max_bytes:
                self._lost += 1
                self.lost_lines += 1
                return
            self._pending.append(line)
            self._waiting_bytes += len(line)
            if len(self._pending) > 1:
                return
            if self._thread is None:
                self._thread = Thread(target=self._run, name="itemledger-log", daemon=True)
                self._thread.start()
        self._wake.put(None)

    def flush(self) -> None:
        """Do nothing: structlog calls it after each line, and must not wait."""

    def drain(self, timeout_seconds: float) -> None:
        """Wait until everything is written. Returns at once where it cannot be, and after a timeout."""
        deadline = monotonic() + timeout_seconds
        while (self._pending or self._unwritten) and not self._failed and monotonic() < deadline:
            sleep(0.001)

    @property
    def is_writable(self) -> bool:
        """Whether the last write succeeded, no write takes long, and a pipe has a reader."""
        began = self._began
        if self._failed or (began is not None and monotonic() - began > STALL_SECONDS):
            return False
        if self._descriptor < 0:
            return True
        poll = select.poll()
        poll.register(self._descriptor, 0)  # reports what went wrong alone
        return not poll.poll(0)

    def _run(self) -> None:
        while True:
            with suppress(Empty):
                self._wake.get(timeout=_RETRY_SECONDS if self._failed else None)
            if not self._failed:
                sleep(_GATHER_SECONDS)
            while self._write_out() and self._take():
                pass

    def _take(self) -> bool:
        """Move what is pending to what is to be written. Return whether there is anything."""
        with self._lock:
            if self._lost:
                line = self._lost_line(self._lost)
                self._pending.append(line)
                self._waiting_bytes += len(line)
                self._lost = 0
            self._unwritten = b"".join(self._pending)
            self._pending = []
        return bool(self._unwritten)

    def _write_out(self) -> bool:
        """Write what is to be written. Return whether that succeeded: otherwise the rest stays."""
        while self._unwritten:
            part = self._unwritten[:_WRITE_BYTES]
            part = part[: part.rfind(b"\n") + 1] or part  # other processes write to the same pipe
            self._began = monotonic()
            try:
                written = (stream := self._stream).write(part)
                if written is None:  # a process that shares the stream has made it non-blocking, and it is full
                    select.select([], [self._descriptor], [])
                    continue
            except (OSError, ValueError):  # ValueError: the stream is closed
                self._failed = True
                return False
            finally:
                self._began = None
            with self._lock:
                if stream is self._stream:
                    self._unwritten = self._unwritten[written:]
                    self._waiting_bytes -= written
        self._failed = False
        return True
