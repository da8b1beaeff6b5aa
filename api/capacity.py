"""How much a process does at once: requests, and bytes of long bodies. One more is refused, and waits nowhere.

A request enters once its body is there: whoever sends one slowly takes no other's place. Bodies of the usual length are
bounded by the number of connections alone.
"""

from api.problems import BUSY, Problem


class Capacity:
    """The room that is left."""

    def __init__(self, requests: int, body_bytes: int) -> None:
        self.requests = requests
        self.body_bytes = body_bytes


class Share:
    """What one request takes of a Capacity: nothing, until it enters."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._requests = 0
        self._bytes = 0

    def enter(self) -> None:
        """Take the room of one request. Raises Problem (503) where there is none."""
        if self._capacity.requests == 0:
            raise Problem(BUSY)
        self._capacity.requests -= 1
        self._requests += 1

    def hold(self, size: int) -> None:
        """Take room for `size` bytes of a body more. Raises Problem (503) where there is none."""
        if size > self._capacity.body_bytes:
            raise Problem(BUSY)
        self._capacity.body_bytes -= size
        self._bytes += size

    def leave(self) -> None:
        """Give all of it back."""
        self._capacity.requests += self._requests
        self._capacity.body_bytes += self._bytes
        self._requests = self._bytes = 0
