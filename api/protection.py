"""What every answer tells a browser, so that nothing of it is kept, framed, sniffed or sent on to strangers.

OWASP ASVS 5.0, chapter 3.4, and the OWASP REST Security Cheat Sheet.
"""

from api.reply import Headers

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
_TLS: Headers = ((b"strict-transport-security", STRICT_TRANSPORT_SECURITY.encode()),)


def protection(headers: Headers, scheme: str) -> Headers:
    """Give what an answer with `headers` needs besides; `scheme` is the one by which the client came."""
    names = {name for name, _ in headers}
    missing = tuple(header for header in _BY_DEFAULT if header[0] not in names)
    return (*_ALWAYS, *missing, *(_TLS if scheme == "https" else ()))
