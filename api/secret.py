"""Values that must not appear in a log, a trace or a list of settings."""

from eventstore.database.urls import HIDDEN, redacted


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
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SecretUrl(Secret):
    """A database URL. Its password and the parameters that may be secret are hidden."""

    def __repr__(self) -> str:
        return redacted(self._text)
