"""Token buckets: a number of requests per window for each client, in bursts or evenly. Pure: time is a parameter.

A bucket holds at most `quota` tokens, and refills evenly, from empty to full in one window. It is stored as one number:
the moment at which it will be full again (the generic cell rate algorithm).
"""

from collections import OrderedDict
from collections.abc import Hashable
from math import ceil

from msgspec import Struct


class RateLimit(Struct, frozen=True):
    """Each client may make `quota` requests per window."""

    name: str
    quota: int
    window_seconds: int = 60


class RateLimitState(Struct, frozen=True):
    """The state of a client's bucket after a request."""

    limit: RateLimit
    admitted: bool
    remaining: int  # requests that would be admitted now
    #: Seconds, rounded up, until the bucket is full, or, if the request was rejected, until one would be admitted.
    reset_seconds: int


class TokenBuckets:
    """The buckets of one rate limit for at most `max_clients` clients.

    Beyond that the least recently seen client is forgotten, and so has a full bucket again. Memory stays bounded; an
    attacker with that many addresses is not slowed down.
    """

    def __init__(self, limit: RateLimit, max_clients: int) -> None:
        self._limit = limit
        self._max_clients = max_clients
        self._token_seconds = limit.window_seconds / limit.quota  # until one token is refilled
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, client: Hashable, now: float) -> RateLimitState:
        """Take one token, if there is one. `now` is in seconds of a clock that never goes back."""
        window = self._limit.window_seconds
        until_full = max(self._full_at.get(client, now) - now, 0.0) + self._token_seconds
        admitted = until_full <= window + self._token_seconds / 1e6  # a millionth for floating-point errors
        if admitted:
            self._full_at[client] = now + until_full
        self._full_at.move_to_end(client)
        if len(self._full_at) > self._max_clients:
            self._full_at.popitem(last=False)
        if not admitted:
            return RateLimitState(self._limit, admitted, remaining=0, reset_seconds=max(ceil(until_full - window), 1))
        remaining = int((window - until_full) / self._token_seconds + 1e-6)
        return RateLimitState(self._limit, admitted, remaining, reset_seconds=ceil(until_full))

    def give_back(self, client: Hashable) -> None:
        """Put back the token that was taken last."""
        if client in self._full_at:
            self._full_at[client] -= self._token_seconds
