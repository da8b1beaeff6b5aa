"""The client's IP address, that of its connection or the one that a trusted proxy reports; and local requests.

uvicorn's middleware reads the headers of trusted proxies: from `X-Forwarded-For` the last address that is not a trusted
proxy's, and `X-Forwarded-Proto` if it is one word. From any other client these headers are ignored.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from api.http.responses import AsgiScope

UNKNOWN = "unknown"  # an address that is not known
_MAX_ADDRESS_LENGTH = 64  # of IPv6 with a zone; longer text would fill the caches below
_MAX_ORIGIN_LENGTH = 300  # a host name has at most 253 characters

#: Headers that show a request was forwarded by a proxy.
_FORWARDING_HEADERS = frozenset((b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"))


class Network(str):
    """An IP address, or a network in CIDR notation: `10.0.0.0/8`."""

    def __new__(cls, text: str) -> "Network":
        """Check and keep `text`. Raises ValueError."""
        try:
            ip_network(text)
        except ValueError:
            raise ValueError("Expected IP addresses or networks like 10.0.0.0/8, separated by commas") from None
        return super().__new__(cls, text)


def address_of(scope: AsgiScope, headers: Mapping[bytes, bytes]) -> str:
    """Return the client's IP address in canonical form, or `unknown`.

    A loopback connection that carries proxy headers is `unknown`: local clients may skip authentication and rate
    limits, so a forwarded request must never count as local.
    """
    client = scope.get("client")
    address = canonical(client[0]) if client else UNKNOWN
    return UNKNOWN if is_loopback(address) and not _FORWARDING_HEADERS.isdisjoint(headers) else address


def canonical_client(scope: AsgiScope) -> AsgiScope:
    """Return the scope with an IPv6 client address in canonical form, in which trusted proxies are compared."""
    client = scope.get("client")
    if client is None or ":" not in (client[0] or ""):
        return scope
    return {**scope, "client": (canonical(client[0]), client[1])}


@lru_cache(4096)
def is_loopback(address: str) -> bool:
    """Return whether an address is a loopback address; `unknown` is not."""
    return address != UNKNOWN and ip_address(address).is_loopback


def is_this_machine(host: str) -> bool:
    """Return whether a host name or IP address means this machine (RFC 6761, section 6.3)."""
    return host == "localhost" or host.endswith(".localhost") or is_loopback(canonical(host))


def is_local(address: str, headers: Mapping[bytes, bytes], origins: Collection[str]) -> bool:
    """Return whether a request from this IP address comes from this machine, from a client that means this service.

    A loopback address does not prove it. A page of any site can make a browser on this machine send a form to
    127.0.0.1, load it as an image or a link, and can resolve its own name to that address (DNS rebinding). So the
    request must also name this machine, and only a page of this machine or of `origins` may have sent it. A browser
    names the page in `Origin`, except in a GET that the page can't read: there `Sec-Fetch-Site` says how far it is.
    """
    origin = headers.get(b"origin")
    if origin is None:
        has_local_origin = b"cross-site" not in headers.get(b"sec-fetch-site", b"")
    else:
        has_local_origin = origin.decode("latin-1") in origins or _names_this_machine(origin)
    host = headers.get(b"host")  # only HTTP/1.0 clients omit it
    return is_loopback(address) and has_local_origin and (host is None or _names_this_machine(b"//" + host))


def _names_this_machine(url: bytes) -> bool:
    return len(url) <= _MAX_ORIGIN_LENGTH and _is_of_this_machine(url)


@lru_cache(256)
def _is_of_this_machine(url: bytes) -> bool:
    try:
        return is_this_machine(urlsplit(url.decode("ascii")).hostname or "")
    except ValueError:
        return False


def canonical(host: str) -> str:
    """Return an IP address in canonical form, IPv4-mapped IPv6 as IPv4; `unknown` for any other text."""
    return _canonical(host) if host and len(host) <= _MAX_ADDRESS_LENGTH else UNKNOWN


@lru_cache(4096)
def _canonical(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return UNKNOWN
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
