"""How much a process does at once: requests, exports, and bytes of long bodies. More is refused, and waits nowhere.

A request enters once its body is there: whoever sends one slowly takes no other's place. Bodies of the usual length are
bounded by the number of connections alone. No client has more than a quarter of anything: no credential, and no address
without one, but for this machine's own; as in api/edge/rate_limits.py.
"""

from api.http.problems import BUSY, Problem
from api.settings import Settings

#: One client takes at most one in so many.
_PART = 4


class Limit:
    """So much of something that is to be shared."""

    def __init__(self, size: int, least: int = 1) -> None:
        """Have `size` to give, to each client a part of that, but not less than `least`."""
        self._left = size
        self._most = max(least, size // _PART)
        self._taken: dict[str | None, int] = {}

    def take(self, client: str | None, amount: int) -> None:
        """Take a part, for a client, or for one that is not counted. Raises Problem (503)."""
        taken = self._taken.get(client, 0) + amount
        if amount > self._left or (client is not None and taken > self._most):
            raise Problem(BUSY)
        self._left -= amount
        self._taken[client] = taken

    def give_back(self, client: str | None, amount: int) -> None:
        """Give back what was taken."""
        self._left += amount
        if taken := self._taken[client] - amount:
            self._taken[client] = taken
        else:
            del self._taken[client]


class Capacity:
    """The room that a process has."""

    def __init__(self, settings: Settings) -> None:
        self.requests = Limit(settings.max_requests)
        self.exports = Limit(settings.max_exports)
        self.batch_bytes = Limit(settings.max_batch_bodies, settings.max_batch_body)


class Reservation:
    """What one request takes of pools, until it leaves."""

    def __init__(self) -> None:
        #: Whose request it is, told before anything is taken; None: it is not counted.
        self.client: str | None = None
        self._taken: dict[Limit, int] = {}

    def take(self, pool: Limit, amount: int = 1) -> None:
        """Take a part of a pool. Raises Problem (503) where there is no room."""
        pool.take(self.client, amount)
        self._taken[pool] = self._taken.get(pool, 0) + amount

    def leave(self) -> None:
        """Give all of it back."""
        for pool, amount in self._taken.items():
            pool.give_back(self.client, amount)
        self._taken.clear()
