"""Who is at the other end: the client's address, told by the connection or by a proxy that is trusted to tell it.

What trusted proxies tell is read by uvicorn's middleware: of `X-Forwarded-For` the last address that is no trusted
proxy's, and `X-Forwarded-Proto` where it is one word. From anybody else these headers are only noise.
"""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from api.http.responses import Scope

#: What stands in place of an address that can't be told.
UNKNOWN = "unknown"


class Network(str):
    """An IP address, or a network of them, as CIDR has it: `10.0.0.0/8`."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Network":
        """Take `text` as it is. Raises ValueError where it is neither."""
        try:
            ip_network(text)
        except ValueError:
            raise ValueError("Expected IP addresses or networks like 10.0.0.0/8, with commas between them") from None
        return super().__new__(cls, text)


#: By these a proxy tells that it is one.
_TELLING = frozenset((b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"))


def address_of(scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    """Give the client's IP address in its one usual form, or `unknown`.

    Whoever seems to be on this machine, but comes through a proxy, is unknown: those who are on it are let in where
    there are no credentials, and not counted, and no proxy shall pass for one of them.
    """
    client = scope.get("client")
    if client is None:
        return UNKNOWN
    address = canonical(client[0])
    if is_loopback(address) and not _TELLING.isdisjoint(headers):
        return UNKNOWN
    return address


def canonical_client(scope: Scope) -> Scope:
    """Give a scope whose client's address, if it has one, is in its usual form: by that proxies are known."""
    client = scope.get("client")
    if client is None or ":" not in (client[0] or ""):
        return scope
    return {**scope, "client": (canonical(client[0]), client[1])}


@lru_cache(4096)
def is_loopback(address: str) -> bool:
    """Tell whether an address is this machine's own; `unknown` is not."""
    return address != UNKNOWN and ip_address(address).is_loopback


@lru_cache(256)
def is_this_machine(host: str) -> bool:
    """Tell whether a host's name or IP address stands for this very machine (RFC 6761, section 6.3)."""
    return host == "localhost" or host.endswith(".localhost") or is_loopback(canonical(host))


@lru_cache(4096)
def canonical(host: str) -> str:
    """Give an IP address in its one usual form, `unknown` for any other text."""
    try:
        address = ip_address(host)
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)
