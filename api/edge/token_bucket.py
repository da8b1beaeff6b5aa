"""Token buckets: so many requests a window, in bursts or evenly, for each of many clients. Pure: time comes in as data.

A client's bucket holds `quota` tokens at most, and fills evenly, in `window` seconds from empty to full. What is kept
of it is one number, the moment at which it will be full again (the generic cell rate algorithm).
"""

from collections import OrderedDict
from collections.abc import Hashable
from math import ceil

from msgspec import Struct


class Budget(Struct, frozen=True):
    """What each client may do: `quota` requests in `window` seconds."""

    name: str
    quota: int
    window: int = 60


class Verdict(Struct, frozen=True):
    """Whether a request was within a budget, and what is left of that."""

    budget: Budget
    admitted: bool
    #: Whole requests that would be admitted now.
    remaining: int
    #: Whole seconds, rounded up: until the bucket is full; where the request was refused, until one would be admitted.
    seconds: int


class Buckets:
    """The buckets of one budget, of `size` clients at most.

    Where there are more, the one that was heard of least recently is forgotten, and so has a full bucket: memory is
    bounded, and whoever has so many addresses is no longer slowed by this.
    """

    def __init__(self, budget: Budget, size: int) -> None:
        self.budget = budget
        self._size = size
        self._token = budget.window / budget.quota  # seconds that one takes to come
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, client: Hashable, now: float) -> Verdict:
        """Take one token at the time `now`, in seconds of a clock that never goes back; none where none is left."""
        budget = self.budget
        missing = max(self._full_at.get(client, now) - now, 0.0)  # seconds until full
        after = missing + self._token
        if after > budget.window + self._token / 1e6:  # a millionth, for what floating point gets wrong
            self._full_at.move_to_end(client)
            return Verdict(budget, admitted=False, remaining=0, seconds=max(ceil(after - budget.window), 1))
        self._full_at[client] = now + after
        self._full_at.move_to_end(client)
        if len(self._full_at) > self._size:
            self._full_at.popitem(last=False)
        remaining = int((budget.window - after) / self._token + 1e-6)
        return Verdict(budget, admitted=True, remaining=remaining, seconds=ceil(after))

    def give_back(self, client: Hashable) -> None:
        """Put back the token that was taken last."""
        if client in self._full_at:
            self._full_at[client] -= self._token
