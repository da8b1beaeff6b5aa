"""Standard output and error of the commands: any terminal, pipe or file, in any encoding.

What a command has done stays done, so nothing about its output may end it with a trace or the code of a failure.
"""

import errno
import io
import os
import re
import select
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from api.cli.exit_codes import CommandError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_NAMED = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
#: The reader has gone, or the command was started without the stream.
_UNREAD = (errno.EPIPE, errno.EBADF)


class _Stream(io.FileIO):
    """A standard stream. Drops what nobody will read, and everything after a failure, which it reports once."""

    _failed = False

    def write(self, data: "ReadableBuffer") -> int:
        """Write `data`. Raises CommandError where that fails for another reason than a reader that has gone."""
        size = memoryview(data).nbytes
        while not self._failed:
            try:
                # None: a process that shares the stream has made it non-blocking, and it is full.
                if (written := super().write(data)) is not None:
                    return written
                select.select([], [self], [])
            except OSError as error:
                self._failed = True
                if error.errno not in _UNREAD and self.fileno() == 1:
                    raise CommandError(f"Cannot write standard output: {error.strerror}") from error
        return size


def prepare() -> None:
    """Let standard output and error take any text: characters that their encoding lacks are escaped."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Closed. Otherwise the next file to be opened, perhaps the database, would be standard output. Opened
            # read-only, so that a write still fails.
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # the same goes for worker processes
    sys.stdout, sys.stderr = _tolerant(sys.stdout, 1), _tolerant(sys.stderr, 2)


def _raw(stream: Any) -> object:
    return getattr(stream.buffer, "raw", stream.buffer)  # with PYTHONUNBUFFERED the buffer is the file itself


def _tolerant(stream: Any, descriptor: int) -> TextIO:
    if stream is not None and not isinstance(_raw(stream), io.FileIO):  # a test's
        stream.reconfigure(errors="backslashreplace")
        return stream  # type: ignore[no-any-return]
    encoding, is_terminal = ("utf-8", False) if stream is None else (stream.encoding, stream.isatty())
    raw = _Stream(descriptor, "wb", closefd=False)
    buffered = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffered, encoding, errors="backslashreplace", line_buffering=is_terminal or descriptor == 2
    )


def open_stream(name: str) -> BinaryIO | None:
    """Open an output that is not a file: `-`, a descriptor, a pipe, a device. Returns None for a file, also a new one.

    It is for a result that is the work itself: a reader that goes is an error.
    """
    descriptor = _DESCRIPTOR.fullmatch(name)
    number = _NAMED.get(name) or (int(descriptor[1]) if descriptor else None)
    if number == 1 and not isinstance(_raw(sys.stdout), _Stream):
        return sys.stdout.buffer  # a test's
    if number is not None:
        return os.fdopen(number, "wb", closefd=False)  # the stream itself: opened by name, a file would be overwritten
    path = Path(name)
    if not path.exists() or path.is_file():
        return None
    opened = os.fdopen(os.open(path, os.O_WRONLY | os.O_CLOEXEC), "wb")  # neither creates a file nor truncates one
    if stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        return None
    return opened


def deliver(result: bytes) -> None:
    """Print a line that is the work itself. Raises OSError where nobody reads it."""
    stream = open_stream("-")
    assert stream is not None
    stream.write(result + b"\n")
    stream.flush()


def echo(message: str | bytes, *, err: bool = False) -> None:
    """Print a line on standard output, or error. Bytes are JSON, and so UTF-8 in every locale."""
    # Given a stream, click uses it as it is. Otherwise it writes UTF-8 where the encoding is ASCII.
    click.echo(message, file=sys.stderr if err else sys.stdout)
