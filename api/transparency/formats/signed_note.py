"""Signed notes (c2sp.org/signed-note): a text, and lines by which who has a public key knows who signed it.

A private key is written as Go's sumdb and the tools around transparency logs write it: PRIVATE+KEY+NAME+ID+BASE64.
"""

import re
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

#: The one type of signature that is made and known here.
_ED25519 = b"\x01"
_ED25519_KEY_SIZE = 32
_KEY_ID_SIZE = 4
_PRIVATE = "PRIVATE+KEY+"
_SIGNATURE = re.compile(r"— (\S+) (\S+)")
#: Signatures that are looked at; a note of more is refused.
_MOST_SIGNATURES = 100


class NoteError(Exception):
    """A text is no signed note, no key, or not signed by a key that is trusted; the message says which."""


class VerifierKey(Struct, frozen=True):
    """Who may have signed a note: a name, and an Ed25519 public key of 32 bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that, with the name, tell the key from others."""
        return sha256(b"%s\n%s%s" % (self.name.encode(), _ED25519, self.public)).digest()[:_KEY_ID_SIZE]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a verifier key, NAME+ID+BASE64. Raises NoteError."""
        name, key_id, material = _parts(text, "public key")
        key = cls(check_name(name), material)
        if key_id != key.id.hex():
            raise NoteError("the public key does not have the id that it is written with")
        return key

    def verifies(self, text: str, signature: bytes) -> bool:
        """Tell whether `signature`, without the key's id, is this key's of `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class SignerKey:
    """Who signs: a name and an Ed25519 private key, which nothing but `write` shows."""

    __slots__ = ("_private", "verifier")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        """Raises NoteError for a name that no key can have."""
        self._private = private
        self.verifier = VerifierKey(check_name(name), private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> "SignerKey":
        """Make a new key. Raises NoteError."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> "SignerKey":
        """Read what `write` wrote. Raises NoteError, which tells nothing of the text."""
        if not text.startswith(_PRIVATE):
            raise NoteError(f"a private key begins with {_PRIVATE}")
        name, key_id, material = _parts(text.removeprefix(_PRIVATE), "private key")
        key = cls(name, Ed25519PrivateKey.from_private_bytes(material))
        if key_id != key.verifier.id.hex():
            raise NoteError("the private key does not have the id that it is written with")
        return key

    def write(self) -> str:
        """Give the private key as one line of text, for the file that keeps it."""
        material = encode(_ED25519 + self._private.private_bytes_raw())
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.id.hex()}+{material}"

    def sign(self, text: str) -> str:
        """Give the line that says that this key signed `text`."""
        return f"— {self.verifier.name} {encode(self.verifier.id + self._private.sign(text.encode()))}\n"


class Note(Struct, frozen=True):
    """A text with the signatures that stand below it, none of them looked at yet."""

    text: str
    #: Name, key's id, signature.
    signatures: tuple[tuple[str, bytes, bytes], ...] = ()

    @classmethod
    def parse(cls, written: str) -> "Note":
        """Read a note; one without a signature may end with its text. Raises NoteError."""
        if not written.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f]", written):
            raise NoteError("it does not end with a newline, or has control characters")
        text, blank, below = written.rpartition("\n\n")
        if not blank:
            return cls(written)
        lines = below.split("\n")[:-1]
        if len(lines) > _MOST_SIGNATURES:
            raise NoteError(f"it has more than {_MOST_SIGNATURES} signatures")
        return cls(f"{text}\n", tuple(map(_signature, lines)))

    def verify(self, keys: Sequence[VerifierKey]) -> list[VerifierKey]:
        """Give those of `keys` that signed it: at least one. Raises NoteError; unknown signatures are not heeded."""
        known = {(key.name, key.id): key for key in keys}
        signed: list[VerifierKey] = []
        for name, key_id, signature in self.signatures:
            if (key := known.get((name, key_id))) is None:
                continue
            if not key.verifies(self.text, signature):
                raise NoteError(f"the signature of {name} is not that of its text")
            signed.append(key)
        if not signed:
            raise NoteError(f"it is not signed by {' or '.join(key.name for key in keys)}")
        return signed


def sign(text: str, keys: Sequence[SignerKey]) -> str:
    """Give the note of `text`, which ends with a newline, signed by `keys`; of none, the text alone."""
    return "\n".join([text, "".join(key.sign(text) for key in keys)]) if keys else text


def check_name(name: str) -> str:
    """Give `name`. Raises NoteError where no key can have it: it is empty, or has white space or a plus in it."""
    if not name or "+" in name or any(character.isspace() or character < " " for character in name):
        raise NoteError("a name has at least one character, and neither white space nor + in it")
    return name


def encode(content: bytes) -> str:
    """Write bytes in base64 (RFC 4648, section 4)."""
    return b64encode(content).decode()


def decode(text: str, size: int | None = None) -> bytes:
    """Read base64 as `encode` writes it, of so many bytes. Raises NoteError."""
    try:
        content = a2b_base64(text.encode("ascii"), strict_mode=True)
    except (Base64Error, UnicodeError):
        raise NoteError("what should be base64 is not") from None
    if encode(content) != text or (size is not None and len(content) != size):
        raise NoteError("what should be base64 is not, or not of the right length")
    return content


def _signature(line: str) -> tuple[str, bytes, bytes]:
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise NoteError("a line below its text is not a signature")
    content = decode(match[2])
    if len(content) <= _KEY_ID_SIZE:
        raise NoteError("a signature is too short")
    return check_name(match[1]), content[:_KEY_ID_SIZE], content[_KEY_ID_SIZE:]


def _parts(text: str, what: str) -> tuple[str, str, bytes]:
    """Take NAME+ID+BASE64 apart. Base64 may have a plus in it as well."""
    name, _, rest = text.partition("+")
    key_id, _, material = rest.partition("+")
    try:
        content = decode(material)
    except NoteError:
        raise NoteError(f"what should be a {what} is not NAME+ID+BASE64") from None
    if content[:1] != _ED25519 or len(content) != 1 + _ED25519_KEY_SIZE:
        raise NoteError(f"the {what} is not an Ed25519 key")
    return name, key_id, content[1:]
