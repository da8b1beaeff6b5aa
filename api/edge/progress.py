"""Whether a client takes what was sent to it, as slowly as its network may be.

What counts is what the client's system has acknowledged (`tcpi_bytes_acked` of `TCP_INFO`). That is the same with TLS,
and it includes what the kernel holds for the client, which no transport knows.
"""

import socket
import struct
from fcntl import ioctl
from termios import TIOCOUTQ

#: The least that a client must take on average. Its system acknowledges in steps of up to half of its receive buffer.
_MIN_BYTES_PER_SECOND = 1000
#: A client that took much before has at most so many timeouts for its next step: 600 kB at 20 kB/s take 30 s.
MAX_TIMEOUTS = 3

_ACKED_OFFSET = 120  # of `tcpi_bytes_acked`, a 64-bit number; since Linux 4.1
_INFO_BYTES = _ACKED_OFFSET + 8
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)  # None elsewhere: there only the transport's buffer counts


class Progress:
    """How far the client of one connection is behind. Times are those of the event loop, in seconds."""

    __slots__ = ("_connection", "_deadline", "_taken", "_timeout")

    def __init__(self, connection: socket.socket, timeout_seconds: float) -> None:
        self._connection = connection
        self._timeout = timeout_seconds
        self._deadline: float | None = None  # by when it must take more; None while nothing is unsent
        self._taken = 0

    @property
    def is_awaited(self) -> bool:
        """Whether something was unsent when it was last looked at."""
        return self._deadline is not None

    def has_stalled(self, now: float, *, buffered: bool) -> bool:
        """Return whether the client has taken too little for too long. `buffered`: the transport has unsent bytes."""
        if not (buffered or self._unacknowledged()):
            self._deadline = None
            return False
        taken = self._acknowledged()
        if self._deadline is None:
            self._deadline = now + self._timeout
        else:
            gained = (taken - self._taken) / _MIN_BYTES_PER_SECOND
            self._deadline = min(self._deadline + gained, now + MAX_TIMEOUTS * self._timeout)
        self._taken = taken
        return now >= self._deadline

    def _unacknowledged(self) -> int:
        """Return how many bytes the kernel holds."""
        if _TCP_INFO is None:
            return 0
        count: int = struct.unpack("i", ioctl(self._connection.fileno(), TIOCOUTQ, bytes(4)))[0]
        return count

    def _acknowledged(self) -> int:
        """Return how many bytes the client's system has taken in all."""
        if _TCP_INFO is None:
            return 0
        info = self._connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _INFO_BYTES)
        count: int = struct.unpack_from("=Q", info, _ACKED_OFFSET)[0]
        return count
