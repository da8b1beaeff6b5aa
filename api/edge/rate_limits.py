"""How many requests a client may make: each credential, and each address without one.

A request is first counted against the address it comes from, so that nobody guesses credentials, or asks for what is
not there, without limit. Once a good credential is shown that address gets its token back, and the credential is
counted instead: clients behind one address don't share its budget. Where that is spent, a credential that is known to
be good, without any I/O, gets in all the same. What costs more has a budget of its own besides.

This machine's own addresses are not counted: who is on it can do worse. Who comes from it through a proxy that is not
listed in `ITEMLEDGER_TRUSTED_PROXIES` shares one budget with all of those.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10, with a problem that names the violated policies.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv6Network
from time import monotonic

from api.edge.token_bucket import Buckets, Budget, Verdict
from api.http.client_address import is_loopback
from api.http.problems import QUOTA_EXCEEDED, Problem
from api.http.responses import Headers
from api.settings import Settings

#: Clients that are remembered, for each budget.
_CLIENTS = 20_000

#: The budgets' names, as routes and headers have them.
REQUESTS, EXPORT, REBUILD = "requests", "export", "rebuild"


class RateLimits:
    """The budgets of this process, and what its clients have left of them."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        """Limit as `settings` say; `clock` gives seconds, and never goes back."""
        quotas = {REQUESTS: settings.rate_limit, EXPORT: settings.export_limit, REBUILD: settings.rebuild_limit}
        self._buckets = {
            name: Buckets(Budget(name, quota), _CLIENTS) for name, quota in quotas.items() if quota != "off"
        }
        self._clock = clock

    def arrive(self, address: str) -> list[Verdict]:
        """Count a request of whom nobody knows more than the address."""
        return self._take([REQUESTS], client_of(address))

    def admit(self, address: str, credential: str | None, arrived: list[Verdict], extra: str | None) -> list[Verdict]:
        """Count a request that has `arrived` for its `credential`, if it has one, and against the budget `extra`."""
        client = client_of(address, credential)
        if credential is None:
            return [*arrived, *self._take([extra], client)]
        if arrived:
            self._buckets[REQUESTS].give_back(client_of(address))
        return self._take([REQUESTS, extra], client)

    def _take(self, names: Sequence[str | None], client: str | None) -> list[Verdict]:
        """Give a verdict of each budget; the first that refuses is the last."""
        if client is None:
            return []
        now, verdicts = self._clock(), list[Verdict]()
        for name in names:
            if name in self._buckets:
                verdicts.append(self._buckets[name].take(client, now))
                if not verdicts[-1].admitted:
                    break
        return verdicts


def refused(verdicts: Sequence[Verdict]) -> bool:
    """Tell whether a budget refuses the request."""
    return bool(verdicts) and not verdicts[-1].admitted


def check(verdicts: Sequence[Verdict]) -> None:
    """Return where every budget admits the request. Raises Problem (429)."""
    if refused(verdicts):
        budget = verdicts[-1].budget
        raise Problem(
            QUOTA_EXCEEDED,
            f"The budget of {budget.name} is spent: {budget.quota} in {budget.window} seconds",
            retry_after=verdicts[-1].seconds,
            violated_policies=(budget.name,),
        )


def budget_headers(verdicts: Sequence[Verdict]) -> Headers:
    """Write `RateLimit-Policy` and `RateLimit`: lists of structured fields (RFC 9651)."""
    if not verdicts:
        return ()
    policies = ", ".join(f'"{v.budget.name}";q={v.budget.quota};w={v.budget.window}' for v in verdicts)
    limits = ", ".join(f'"{v.budget.name}";r={v.remaining};t={v.seconds}' for v in verdicts)
    return ((b"ratelimit-policy", policies.encode()), (b"ratelimit", limits.encode()))


@lru_cache(4096)
def client_of(address: str, credential: str | None = None) -> str | None:
    """Give whose request it is, None where that is not counted: the credential's, or the address's without one.

    Of IPv6 an address stands for its /64, which one customer has. A credential's name is no address, since none of
    those has a space before it.
    """
    if credential is not None:
        return f" {credential}"
    if is_loopback(address):
        return None
    # All that are unknown share one bucket.
    return str(IPv6Network((address, 64), strict=False)) if ":" in address else address
