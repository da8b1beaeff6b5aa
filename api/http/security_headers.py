"""What every answer tells a browser, so that nothing of it is kept, framed, sniffed or sent on to strangers.

OWASP ASVS 5.0, chapter 3.4, and the OWASP REST Security Cheat Sheet.
"""

from api.http.responses import Headers

#: An answer loads and is loaded by nothing but what the service itself gives; no page elsewhere may frame it.
CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
#: A year, as RFC 6797 counts, during which browsers come by TLS alone.
STRICT_TRANSPORT_SECURITY = "max-age=31536000"

_ALWAYS: Headers = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
#: What a route may say otherwise: a page that needs more, a file that anybody may keep.
_BY_DEFAULT: Headers = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cache-control", b"no-store"),
)
_OTHERWISE = frozenset(name for name, _ in _BY_DEFAULT)
_TLS: Headers = ((b"strict-transport-security", STRICT_TRANSPORT_SECURITY.encode()),)
#: What most answers need, put together once: without TLS and with it.
_MOST = (*_ALWAYS, *_BY_DEFAULT)
_MOST_OVER_TLS = (*_MOST, *_TLS)


def protection(headers: Headers, scheme: str) -> Headers:
    """Give what an answer with `headers` needs besides; `scheme` is the one by which the client came."""
    most = _MOST_OVER_TLS if scheme == "https" else _MOST
    names = [name for name, _ in headers]
    return most if _OTHERWISE.isdisjoint(names) else tuple(header for header in most if header[0] not in names)
