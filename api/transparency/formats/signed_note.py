"""Signed notes (c2sp.org/signed-note): a text, and signature lines that anyone with the public key can verify.

Private keys have the format of Go's sumdb and other transparency log tools: PRIVATE+KEY+NAME+ID+BASE64.
"""

import re
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    # At run time only where a key is used: it takes long to import, and most processes have no key.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: The only supported signature type.
_ED25519 = b"\x01"
_ED25519_KEY_SIZE = 32
_KEY_ID_SIZE = 4
_PRIVATE_PREFIX = "PRIVATE+KEY+"
_SIGNATURE = re.compile(r"— (\S+) (\S+)")
#: A note with more signatures is rejected.
_MAX_SIGNATURES = 100


class NoteError(ValueError):
    """A text is not a valid signed note or key, or no trusted key signed it. The message says which."""


class VerifierKey(Struct, frozen=True):
    """The key that verifies signatures: a name, and an Ed25519 public key of 32 bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Return the four bytes that identify the key, together with its name."""
        return sha256(b"%s\n%s%s" % (self.name.encode(), _ED25519, self.public)).digest()[:_KEY_ID_SIZE]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a verifier key, NAME+ID+BASE64. Raises NoteError."""
        name, key_id, public = _parse_key(text, "public key")
        key = cls(check_name(name), public)
        if key_id != key.id.hex():
            raise NoteError("the public key does not match its id")
        return key

    def verifies(self, text: str, signature: bytes) -> bool:
        """Check whether this key made `signature`, given without the key's id, for `text`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class SignerKey:
    """The key that signs: a name and an Ed25519 private key. Only `write` reveals it."""

    __slots__ = ("_private", "verifier")

    def __init__(self, name: str, private: "Ed25519PrivateKey") -> None:
        """Raise NoteError if the name is not valid."""
        self._private = private
        self.verifier = VerifierKey(check_name(name), private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> "SignerKey":
        """Generate a key. Raises NoteError."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> "SignerKey":
        """Parse what `write` wrote. Raises NoteError, which reveals nothing of the text."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not text.startswith(_PRIVATE_PREFIX):
            raise NoteError(f"a private key must begin with {_PRIVATE_PREFIX}")
        name, key_id, private = _parse_key(text.removeprefix(_PRIVATE_PREFIX), "private key")
        key = cls(name, Ed25519PrivateKey.from_private_bytes(private))
        if key_id != key.verifier.id.hex():
            raise NoteError("the private key does not match its id")
        return key

    def write(self) -> str:
        """Return the private key as one line of text, for the key file."""
        material = encode(_ED25519 + self._private.private_bytes_raw())
        return f"{_PRIVATE_PREFIX}{self.verifier.name}+{self.verifier.id.hex()}+{material}"

    def sign(self, text: str) -> str:
        """Return the signature line of `text`."""
        return f"— {self.verifier.name} {encode(self.verifier.id + self._private.sign(text.encode()))}\n"


class Note(Struct, frozen=True):
    """A text with its signatures, not yet verified."""

    text: str
    #: The name, the key's id and the signature of each.
    signatures: tuple[tuple[str, bytes, bytes], ...] = ()

    @classmethod
    def parse(cls, written: str) -> "Note":
        """Parse a note, signed or not. Raises NoteError."""
        if not written.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f]", written):
            raise NoteError("it does not end with a newline, or has control characters")
        text, separator, below = written.rpartition("\n\n")
        if not separator:
            return cls(written)
        lines = below.split("\n")[:-1]
        if len(lines) > _MAX_SIGNATURES:
            raise NoteError(f"it has more than {_MAX_SIGNATURES} signatures")
        return cls(f"{text}\n", tuple(map(_parse_signature, lines)))

    def verify(self, keys: Sequence[VerifierKey]) -> list[VerifierKey]:
        """Return those of `keys` that signed it, at least one. Ignores signatures of other keys. Raises NoteError."""
        known = {(key.name, key.id): key for key in keys}
        signed: list[VerifierKey] = []
        for name, key_id, signature in self.signatures:
            if (key := known.get((name, key_id))) is None:
                continue
            if not key.verifies(self.text, signature):
                raise NoteError(f"the signature of {name} does not match the text")
            signed.append(key)
        if not signed:
            raise NoteError(f"it is not signed by {' or '.join(key.name for key in keys)}")
        return signed


def sign(text: str, keys: Sequence[SignerKey]) -> str:
    """Return the note of `text`, which ends with a newline, signed by `keys`. Without keys, return the text alone."""
    return "\n".join([text, "".join(key.sign(text) for key in keys)]) if keys else text


def check_name(name: str) -> str:
    """Return `name`. Raises NoteError if it is empty, or contains white space or a plus."""
    if not name or "+" in name or any(character.isspace() or character < " " for character in name):
        raise NoteError("a name must not be empty or contain white space or +")
    return name


def encode(content: bytes) -> str:
    """Return bytes in base64 (RFC 4648, section 4)."""
    return b64encode(content).decode()


def decode(text: str, size: int | None = None) -> bytes:
    """Decode base64 as `encode` writes it, of `size` bytes. Raises NoteError."""
    try:
        content = a2b_base64(text.encode("ascii"), strict_mode=True)
    except (Base64Error, UnicodeError):
        raise NoteError("invalid base64") from None
    if encode(content) != text or (size is not None and len(content) != size):
        raise NoteError("invalid base64, or the wrong length")
    return content


def _parse_signature(line: str) -> tuple[str, bytes, bytes]:
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise NoteError("a line below the text is not a signature")
    content = decode(match[2])
    if len(content) <= _KEY_ID_SIZE:
        raise NoteError("a signature is too short")
    return check_name(match[1]), content[:_KEY_ID_SIZE], content[_KEY_ID_SIZE:]


def _parse_key(text: str, kind: str) -> tuple[str, str, bytes]:
    """Parse NAME+ID+BASE64. The base64 can contain a plus, too."""
    name, _, rest = text.partition("+")
    key_id, _, material = rest.partition("+")
    try:
        content = decode(material)
    except NoteError:
        raise NoteError(f"a {kind} must be NAME+ID+BASE64") from None
    if content[:1] != _ED25519 or len(content) != 1 + _ED25519_KEY_SIZE:
        raise NoteError(f"the {kind} is not an Ed25519 key")
    return name, key_id, content[1:]
