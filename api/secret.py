"""Values that must not appear in a log, a trace or a list of settings."""

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

_HIDDEN = "***"
#: Query parameters of a database URL that are shown: where the database is, and how it is chosen and reached.
_SHOWN_PARAMETERS = {"host", "port", "ssl", "sslmode", "target_session_attrs"}


class Secret:
    """A text that is written as `***`; only `reveal` returns it.

    As the type of a field of `Settings` it makes the setting a secret: it can be read from a file, and
    `itemledger config show` hides it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SecretUrl(Secret):
    """A database URL. Its password and most query parameters are hidden."""

    def __repr__(self) -> str:
        try:
            url = make_url(self._text)
        except (ArgumentError, ValueError):
            return _HIDDEN  # an invalid URL may contain a password, too
        query = {name: value if name in _SHOWN_PARAMETERS else "hidden" for name, value in url.query.items()}
        return url.set(query=query).render_as_string(hide_password=True)
