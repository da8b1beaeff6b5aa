"""What a server must check in the fields of a parsed head: RFC 9110. `api/http/request_head.py` needs no framework."""

import re
from collections.abc import Mapping
from functools import lru_cache

from api.http.problems import EXPECTATION_FAILED, INVALID_HEADER, Problem

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")  # RFC 3986, section 3.2


def check_fields(fields: Mapping[bytes, bytes], version: str) -> None:
    """Check `Host` and `Expect`, in fields joined by name. Raises Problem: 400, 417."""
    host = fields.get(b"host")
    if not (version == "1.0" if host is None else _is_host(host)):
        raise Problem(INVALID_HEADER, "Send one Host header, with a host name or IP address and an optional port")
    if b"expect" in fields and fields[b"expect"].lower() != b"100-continue":
        raise Problem(EXPECTATION_FAILED)


@lru_cache(256)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None
