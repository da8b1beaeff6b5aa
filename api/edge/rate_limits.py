"""Rate limits for each credential, and for each address without one.

A request first counts against its address, so that guessing credentials and probing paths is limited. Once it shows an
active credential, the address gets its token back and the credential is counted instead: clients behind one address
don't share a limit. If the address's limit is exceeded, a credential that is known without I/O still gets in.
Expensive routes have a second limit of their own.

Local clients are not counted: they could do worse. Clients behind a local proxy that is not listed in
`ITEMLEDGER_TRUSTED_PROXIES` share one limit.

The headers follow draft-ietf-httpapi-ratelimit-headers-10, with a problem that names the violated policies.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv6Network
from time import monotonic

from api.edge.token_bucket import RateLimit, RateLimitState, TokenBuckets
from api.http.client_address import is_loopback
from api.http.problems import QUOTA_EXCEEDED, Problem
from api.http.responses import Headers
from api.settings import Settings

_MAX_CLIENTS = 20_000  # clients that are remembered for each rate limit

REQUESTS, EXPORT, REBUILD = "requests", "export", "rebuild"  # the names of the rate limits, in routes and headers


class RateLimits:
    """The rate limits of this process, with the state of each client. `clock` returns seconds, and never goes back."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        quotas = {REQUESTS: settings.rate_limit, EXPORT: settings.export_limit, REBUILD: settings.rebuild_limit}
        self._buckets = {
            name: TokenBuckets(RateLimit(name, quota), _MAX_CLIENTS) for name, quota in quotas.items() if quota != "off"
        }
        self._clock = clock

    def count_address(self, address: str) -> list[RateLimitState]:
        """Count a request against its address, before authentication."""
        return self._take([REQUESTS], client_of(address))

    def count_client(
        self, address: str, credential: str | None, counted: list[RateLimitState], route_limit: str | None
    ) -> list[RateLimitState]:
        """Count an authenticated request against its credential, if it has one, and against the route's own limit."""
        client = client_of(address, credential)
        if credential is None:
            return [*counted, *self._take([route_limit], client)]
        if counted:
            self._buckets[REQUESTS].give_back(client_of(address))  # the token that `count_address` took
        return self._take([REQUESTS, route_limit], client)

    def _take(self, names: Sequence[str | None], client: str | None) -> list[RateLimitState]:
        """Return the state of each limit, up to the first that rejects."""
        if client is None:
            return []
        now, states = self._clock(), list[RateLimitState]()
        for name in names:
            if name in self._buckets:
                states.append(self._buckets[name].take(client, now))
                if not states[-1].admitted:
                    break
        return states


def is_rejected(states: Sequence[RateLimitState]) -> bool:
    """Return whether a limit rejects the request."""
    return bool(states) and not states[-1].admitted


def check_admitted(states: Sequence[RateLimitState]) -> None:
    """Raise Problem (429) if a limit rejects the request."""
    if is_rejected(states):
        limit = states[-1].limit
        raise Problem(
            QUOTA_EXCEEDED,
            f"Rate limit exceeded for {limit.name}: {limit.quota} requests per {limit.window_seconds} seconds",
            retry_after=states[-1].reset_seconds,
            violated_policies=(limit.name,),
        )


def rate_limit_headers(states: Sequence[RateLimitState]) -> Headers:
    """Return `RateLimit-Policy` and `RateLimit`: lists of structured fields (RFC 9651)."""
    if not states:
        return ()
    policies = ", ".join(f'"{s.limit.name}";q={s.limit.quota};w={s.limit.window_seconds}' for s in states)
    limits = ", ".join(f'"{s.limit.name}";r={s.remaining};t={s.reset_seconds}' for s in states)
    return ((b"ratelimit-policy", policies.encode()), (b"ratelimit", limits.encode()))


@lru_cache(4096)
def client_of(address: str, credential: str | None = None) -> str | None:
    """Return the client that a request counts for, None if it is not counted.

    That is the credential if there is one, else the address, of IPv6 its /64, which one customer has. The space keeps
    credentials apart from addresses. All `unknown` addresses are one client.
    """
    if credential is not None:
        return f" {credential}"
    if is_loopback(address):
        return None
    return str(IPv6Network((address, 64), strict=False)) if ":" in address else address
