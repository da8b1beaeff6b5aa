"""The settings that say which log this is, and who signs its checkpoints."""

from api.secret import Secret
from api.transparency.formats.signed_note import NoteError, SignerKey, check_name


class LogOrigin(str):
    """A log's name, best like `example.com/ledger`, under which no other log is known."""

    __slots__ = ()

    def __new__(cls, text: str) -> "LogOrigin":
        """Take `text` as it is. Raises ValueError where no key could have the name."""
        try:
            return super().__new__(cls, check_name(text))
        except NoteError as error:
            raise ValueError(str(error)) from None


class LogKeys(Secret):
    """One private key a line, as `itemledger log keygen` writes them, all of one name: the log's origin.

    There are two while auditors change from an old key to a new one: checkpoints then have both signatures.
    """

    __slots__ = ("signers",)

    def __init__(self, text: str) -> None:
        """Raises ValueError, which tells nothing of the text, where it is not that."""
        super().__init__(text)
        try:
            self.signers = tuple(map(SignerKey.parse, text.split()))
        except NoteError as error:
            raise ValueError(str(error)) from None
        if len({signer.verifier.name for signer in self.signers}) != 1:
            raise ValueError("there is no private key, or there are keys of different names")

    @property
    def origin(self) -> str:
        """The name that all keys have."""
        return self.signers[0].verifier.name
