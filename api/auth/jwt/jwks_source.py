"""Where to read the issuer's signing keys. Apart from `jwks.py`, so that settings load without a crypto library."""

from urllib.parse import urlsplit

from api.http.client_address import is_this_machine


class JwksSource(str):
    """An https URL, an http URL on this machine, or the path of a file."""

    def __new__(cls, text: str) -> "JwksSource":
        """Check `text`. Raises ValueError if it is none of these."""
        scheme, separator, _ = text.partition("://")
        url = urlsplit(text if separator else "")
        is_local = scheme == "http" and is_this_machine(url.hostname or "")
        if not text or (separator and scheme != "https" and not is_local):
            raise ValueError("Expected an https:// URL, or the path of a file")
        if "@" in url.netloc:
            raise ValueError("Expected a URL without a name or password: the keys are public")
        return super().__new__(cls, text)

    @property
    def is_url(self) -> bool:
        """Whether it is a URL."""
        return "://" in self
