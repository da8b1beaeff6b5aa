"""Capacity limits of a process: concurrent requests, exports, and buffered batch bytes.

Work over a limit is rejected (503), not queued. A request counts once its body is complete, so slow senders block no
other client; bodies of normal size are bounded by the number of connections. No client (credential, or address without
one) gets more than a quarter of a limit, except local clients; as in api/edge/rate_limits.py.
"""

from typing import Self

from api.http.problems import BUSY, Problem

_CLIENT_SHARE = 4  # one client may use a quarter of a limit


class Limit:
    """A capacity of `size`, of which one client gets at most a quarter, but no less than `min_share`."""

    def __init__(self, size: int, min_share: int = 1) -> None:
        self._free = self._size = size
        self._max_share = max(min_share, size // _CLIENT_SHARE)
        self._used: dict[str | None, int] = {}

    def reserve(self, client: str | None, until: "Reservations", amount: int = 1) -> None:
        """Reserve `amount` for a client; None is not limited to a share. Raises Problem (503)."""
        if not amount:  # an empty part of a body
            return
        used = self._used.get(client, 0) + amount
        if amount > self._free or (client is not None and used > self._max_share):
            raise Problem(BUSY)
        self._free -= amount
        self._used[client] = used
        until.append((self, client, amount))

    def expect(self, client: str | None, amount: int) -> None:
        """Check that a client could reserve about `amount`, at most half of its share. Raises Problem (503)."""
        share = self._size if client is None else self._max_share
        wanted = min(amount, share // 2)
        if wanted > self._free or self._used.get(client, 0) + wanted > share:
            raise Problem(BUSY)

    def release(self, client: str | None, amount: int) -> None:
        """Release what was reserved."""
        self._free += amount
        self._used[client] -= amount
        if not self._used[client]:
            del self._used[client]


class Reservations(list[tuple[Limit, str | None, int]]):
    """What one request has reserved; released where the context ends."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for limit, client, amount in self:
            limit.release(client, amount)
