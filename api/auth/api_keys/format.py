"""The text of an API key: `itl_`, an id, `_`, a secret of 256 random bits and a checksum.

Only letters, digits and underscores, so that a double click selects the whole key. The prefix and the checksum (CRC-32,
as in GitHub's tokens) let secret scanners find leaked keys, and let us reject mistyped ones without a query. The secret
is long and random, so a plain SHA-256 of the key is as hard to reverse as a slow hash.
"""

import re
import secrets
import string
from hashlib import sha256
from typing import NamedTuple
from zlib import crc32

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
#: 62 ** 43 > 2 ** 256, 62 ** 6 > 2 ** 32.
_SECRET_LENGTH, _CHECKSUM_LENGTH = 43, 6
ID_PATTERN = "[0-9a-z]{8}"
PREFIX = "itl_"
_KEY = re.compile(rf"{PREFIX}({ID_PATTERN})_[0-9A-Za-z]{{49}}".encode())


class ParsedKey(NamedTuple):
    """The parts of a key that are stored and compared; never the key itself."""

    id: str
    digest: bytes  # SHA-256 of the whole key, 32 bytes


def new_key() -> str:
    """Generate a key with a random id and secret."""
    key_id = "".join(secrets.choice(string.digits + string.ascii_lowercase) for _ in range(8))
    unchecked = f"{PREFIX}{key_id}_{_base62(secrets.randbits(256), _SECRET_LENGTH)}"
    return unchecked + _checksum(unchecked.encode())


def read_key(key: bytes) -> ParsedKey | None:
    """Parse a key; return None if its form or its checksum is not valid."""
    match = _KEY.fullmatch(key)
    if match is None or _checksum(key[:-_CHECKSUM_LENGTH]).encode() != key[-_CHECKSUM_LENGTH:]:
        return None
    return ParsedKey(match[1].decode(), sha256(key).digest())


def _checksum(unchecked: bytes) -> str:
    return _base62(crc32(unchecked), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    return "".join(_DIGITS[number // 62**place % 62] for place in reversed(range(length)))
