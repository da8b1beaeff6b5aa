"""Values that nobody may read in a log, a trace or a list of settings."""

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

_HIDDEN = "***"
#: What a database URL's query may show: where the database is, and how it is chosen and reached.
_OPEN = {"host", "port", "ssl", "sslmode", "target_session_attrs"}


class Secret:
    """A text that shows itself as `***` wherever it is written, unless one asks for it by `reveal`.

    As the type of a field of `Settings` it makes the setting a secret: it can then be given by a file as well, and
    `itemledger config show` does not tell it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SecretUrl(Secret):
    """A database's URL: its password is the secret, and what its query has besides where the database is."""

    __slots__ = ()

    def __repr__(self) -> str:
        try:
            url = make_url(self._text)
        except (ArgumentError, ValueError):
            return _HIDDEN  # what is no URL may hold a password all the same
        query = {name: value if name in _OPEN else "hidden" for name, value in url.query.items()}
        return url.set(query=query).render_as_string(hide_password=True)
