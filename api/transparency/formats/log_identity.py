"""The settings that identify the log: its name, and the keys that sign its checkpoints."""

from api.secret import Secret
from api.transparency.formats.signed_note import SignerKey, check_name


class LogOrigin(str):
    """A log's unique name, preferably like `example.com/ledger`."""

    __slots__ = ()

    def __new__(cls, text: str) -> "LogOrigin":
        """Raise ValueError if the text is not a valid name of a key."""
        return super().__new__(cls, check_name(text))


class LogKeys(Secret):
    """Private keys, one on each line as `itemledger log keygen` writes them, all with the log's origin as their name.

    Use two while auditors change from an old key to a new one: checkpoints then have both signatures.
    """

    __slots__ = ("signers",)

    def __init__(self, text: str) -> None:
        """Raise ValueError, which reveals nothing of the text, if it is not valid."""
        super().__init__(text)
        self.signers = tuple(map(SignerKey.parse, text.split()))
        if len({signer.verifier.name for signer in self.signers}) != 1:
            raise ValueError("a private key is missing, or the keys have different names")

    @property
    def origin(self) -> str:
        """Return the name that all keys have."""
        return self.signers[0].verifier.name
