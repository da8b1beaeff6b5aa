"""Where the keys of access tokens' issuer are, as the settings name it."""

from ipaddress import ip_address
from urllib.parse import urlsplit


class JwksSource(str):
    """An https URL, one of http on this machine, or the path of a file."""

    __slots__ = ()

    def __new__(cls, text: str) -> "JwksSource":
        """Take `text` as it is. Raises ValueError where it is none of these."""
        scheme, separator, _ = text.partition("://")
        if not text or (separator and scheme != "https" and not (scheme == "http" and _is_this_machine(text))):
            raise ValueError("Expected an https:// URL, or the path of a file")
        return super().__new__(cls, text)

    @property
    def is_url(self) -> bool:
        """Whether it is a URL."""
        return "://" in self


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
