"""Whether a request comes from this machine, from a client that means this service.

A loopback address does not prove it. A page of any site can make a browser on this machine send a form to 127.0.0.1,
and can resolve its own name to that address (DNS rebinding). So the request must also name this machine, and no page
from elsewhere may have sent it. (A proxied request never has a loopback address: see `http/client_address.py`.)
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from api.http.client_address import is_loopback, is_this_machine


def is_local(address: str, headers: Mapping[bytes, bytes], origins: Collection[str] = ()) -> bool:
    """Return whether a request from this IP address is local; a page of this machine or of `origins` may send it."""
    origin = headers.get(b"origin")
    has_local_origin = origin is None or origin.decode("latin-1") in origins or _names_this_machine(origin)
    host = headers.get(b"host")  # only HTTP/1.0 clients omit it
    return is_loopback(address) and has_local_origin and (host is None or _names_this_machine(b"//" + host))


@lru_cache(256)
def _names_this_machine(url: bytes) -> bool:
    try:
        return is_this_machine(urlsplit(url.decode("ascii")).hostname or "")
    except ValueError:
        return False
