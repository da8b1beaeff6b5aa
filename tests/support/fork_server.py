"""Start `itemledger` processes quickly: fork them from a process that has imported the service already.

An import of the service takes half a second, and the tests start it hundreds of times. A forked process differs from
one that a user starts in nothing else: its own session, environment, output, signals and exit code.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_MAX_REQUEST_BYTES = 1 << 20


class Forked:
    """A forked process: as much of `subprocess.Popen` as the tests use."""

    def __init__(self, pid: int, status: IO[bytes]) -> None:
        """Take the process `pid`, whose exit code the fork server writes to `status`."""
        self.pid = pid
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        """Return the exit code, None while the process runs; as `subprocess`, a signal's number is negative."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._status, selectors.EVENT_READ)
                if selector.select(0):
                    self.wait()
        return self.returncode

    def wait(self) -> int:
        """Wait for the end of the process and return its exit code."""
        if self.returncode is None:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode

    def terminate(self) -> None:
        """Send SIGTERM, if the process still runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class ForkServer:
    """The process that forks. It ends with the one that made it."""

    def __init__(self) -> None:
        """Start it. It imports the service while this process goes on."""
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", str(other.fileno())],
                cwd=Path(__file__).parents[2],
                pass_fds=[other.fileno()],
            )

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], output: int) -> Forked:
        """Run `itemledger` with `arguments` in a new session, with both outputs in the file `output`."""
        read, write = os.pipe()
        request = json.dumps({"arguments": arguments, "environment": dict(environment)}).encode()
        socket.send_fds(self._socket, [request], [output, write])
        os.close(write)
        return Forked(int(self._socket.recv(64)), os.fdopen(read, "rb"))


def _serve(requests: socket.socket) -> list[str]:
    """Fork a process for each request, and report the exit codes. Return, in each such process, its arguments."""
    statuses: dict[int, int] = {}
    wake, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is wake:
                    wake.recv(4096)
                    _reap(statuses)
                    continue
                request, descriptors, _, _ = socket.recv_fds(requests, _MAX_REQUEST_BYTES, 2)
                if not request:
                    sys.exit()
                output, status = descriptors
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.setsid()
                    requests.send(b"%d" % os.getpid())  # now: a kill of the session must find one
                    for descriptor in (*statuses.values(), status, requests.fileno(), wake.fileno(), woken.fileno()):
                        os.close(descriptor)
                    return _become(output, **json.loads(request))
                os.close(output)
                statuses[pid] = status


def _become(output: int, arguments: list[str], environment: dict[str, str]) -> list[str]:
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)
    return arguments


def _reap(statuses: dict[int, int]) -> None:
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        os.write(statuses[pid], b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(statuses.pop(pid))


if __name__ == "__main__":
    # All that `itemledger serve` imports until it listens.
    import sqlalchemy.dialects.postgresql.asyncpg
    import sqlalchemy.dialects.sqlite.aiosqlite  # noqa: F401
    import uvicorn.lifespan.on
    import uvicorn.loops.uvloop  # noqa: F401

    import api.app
    import api.cli
    import api.cli.serve
    import api.edge.client_timeouts
    import api.edge.event_loop

    arguments = _serve(socket.socket(fileno=int(sys.argv[1])))
    api.cli.main(arguments, prog_name="itemledger")
