"""Who is at the other end: the client's address, told by the connection or by a proxy that is trusted to tell it.

What trusted proxies tell is read by uvicorn's middleware: of `X-Forwarded-For` the last address that is no trusted
proxy's, of `X-Forwarded-Proto` the last word. From anybody else these headers are only noise.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from api.reply import Scope

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


def address_of(scope: Scope) -> str:
    """Give the client's IP address in its one usual form, or `unknown`."""
    client = scope.get("client")
    return _canonical(client[0]) if client else UNKNOWN


@lru_cache(4096)
def _canonical(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)
