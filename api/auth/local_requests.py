"""Whether a request comes from this very machine, from somebody who means this service.

A loopback address is not enough: a page of any site can have a browser on the machine send a form to 127.0.0.1, and can
have its own name lead there (DNS rebinding). So the request must name this machine, and no page that is elsewhere may
have sent it. (Who comes through a proxy has no loopback address: see `peer.py`.)
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from api.http.client_address import is_loopback, is_this_machine


def is_local(address: str, headers: Mapping[bytes, bytes], origins: Collection[str] = ()) -> bool:
    """Tell whether a request from this IP address with these headers comes from this machine.

    A page of the machine's own, or of one of `origins`, may have sent it.
    """
    origin = headers.get(b"origin")
    from_here = origin is None or origin.decode("latin-1") in origins or _is_here(origin)
    host = headers.get(b"host")  # every client sends it, but one that speaks HTTP/1.0
    return is_loopback(address) and from_here and (host is None or _is_here(b"//" + host))


@lru_cache(256)
def _is_here(url: bytes) -> bool:
    try:
        host = urlsplit(url.decode("ascii")).hostname or ""
    except ValueError:
        return False
    return is_this_machine(host)
