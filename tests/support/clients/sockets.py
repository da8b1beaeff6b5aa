"""What the kernel knows about a server's sockets (Linux)."""

from pathlib import Path

from tests.support.clients.streams import until

_ESTABLISHED, _LISTENING = "01", "0A"


async def until_all_is_read(port: int, connections: int) -> None:
    """Wait until a server on 127.0.0.1 has accepted so many connections and read everything that arrived on them.

    Three looks in a row must agree: between two of them a client that has just connected sends its request.
    """
    agreed = 0

    def seen() -> bool:
        nonlocal agreed
        agreed = agreed + 1 if _all_read(port, connections) else 0
        return agreed == 3

    await until(seen)


def _all_read(port: int, connections: int) -> bool:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    of_server = [(row[3], row[4]) for row in rows if row[1].endswith(f":{port:04X}")]
    established = [queues for state, queues in of_server if state == _ESTABLISHED]
    # A listening socket's queue holds connections that were not accepted yet.
    return len(established) >= connections and all(
        queues.endswith(":00000000") for state, queues in of_server if state in (_ESTABLISHED, _LISTENING)
    )
