"""Security headers of every response, from OWASP ASVS 5.0, chapter 3.4, and the OWASP REST Security Cheat Sheet."""

from collections.abc import Sequence
from operator import itemgetter

from api.http.responses import Header, Headers

#: A response loads only from the service itself, and no page elsewhere may frame it.
CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
STRICT_TRANSPORT_SECURITY = "max-age=31536000"  # a year (RFC 6797), during which browsers use only TLS

_ALL: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cache-control", b"no-store"),
)
_ALL_OVER_TLS: Headers = (*_ALL, (b"strict-transport-security", STRICT_TRANSPORT_SECURITY.encode()))
#: Headers that a route may set itself: a page that loads more, a response that may be cached.
_OVERRIDABLE = frozenset((b"content-security-policy", b"cache-control"))
_name = itemgetter(0)


def security_headers(headers: Sequence[Header], scheme: str) -> Headers:
    """Return the headers to add to a response with `headers`; `scheme` is the one that the client used."""
    added = _ALL_OVER_TLS if scheme == "https" else _ALL
    if _OVERRIDABLE.isdisjoint(map(_name, headers)):
        return added
    sent = dict(headers)
    return tuple(header for header in added if header[0] not in sent)
