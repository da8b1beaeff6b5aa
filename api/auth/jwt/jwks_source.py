"""Where the keys of access tokens' issuer are, as the settings name it."""

from urllib.parse import urlsplit

from api.http.client_address import is_this_machine


class JwksSource(str):
    """An https URL, one of http on this machine, or the path of a file."""

    __slots__ = ()

    def __new__(cls, text: str) -> "JwksSource":
        """Take `text` as it is. Raises ValueError where it is none of these."""
        scheme, separator, _ = text.partition("://")
        url = urlsplit(text if separator else "")
        here = scheme == "http" and is_this_machine(url.hostname or "")
        if not text or (separator and scheme != "https" and not here):
            raise ValueError("Expected an https:// URL, or the path of a file")
        if "@" in url.netloc:
            raise ValueError("Expected a URL without a name or password: the keys are public")
        return super().__new__(cls, text)

    @property
    def is_url(self) -> bool:
        """Whether it is a URL."""
        return "://" in self
