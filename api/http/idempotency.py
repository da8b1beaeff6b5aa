"""The `Idempotency-Key` header: a repeated request with the same key has no second effect.

The header is a string of Structured Fields (RFC 8941), as in draft-ietf-httpapi-idempotency-key-header-07, or one word
without quotes, as many clients send it. Keys are not stored: a key becomes the id of its command, and the log
shows whether that command was committed.
"""

import re
from hashlib import sha256

MAX_LENGTH = 255

_IN_QUOTES = r'(?:[ !#-\[\]-~]|\\["\\])'
_IN_WORD = r"[!#-+\--\[\]-~]"

#: A pattern for the header that Python and ECMA 262 both accept.
PATTERN = rf'^(?:"{_IN_QUOTES}{{1,{MAX_LENGTH}}}"|{_IN_WORD}{{1,{MAX_LENGTH}}})$'

_KEY = re.compile(PATTERN.encode())


def read_key(header: bytes | None) -> str | None:
    """Return the key, None without a header. Raises Problem (400)."""
    if header is None:
        return None
    key = header.strip(b" \t")
    if not _KEY.fullmatch(key):
        # Imported here, so that the settings, which only need PATTERN, do not import the framework.
        from api.http.problems import INVALID_HEADER, Problem

        detail = f"Idempotency-Key must have 1 to {MAX_LENGTH} characters, in double quotes or as one word of ASCII"
        raise Problem(INVALID_HEADER, detail)
    if key.startswith(b'"'):
        key = re.sub(rb"\\(.)", rb"\1", key[1:-1])
    return key.decode()


def command_id(actor: str, credential: str | None, method: str, path: str, key: str) -> str:
    """Return the id of the command that `key` stands for: SHA-256 over the five, a line each, in hexadecimal digits.

    `credential` is that of the holder's first key, so that a rotation keeps the keys valid, and the next holder of the
    name does not get the answers of the one before. Without one, its line is empty.
    """
    parts = (actor, credential or "", method, path, key)
    return "key:" + sha256("".join(f"{part}\n" for part in parts).encode()).hexdigest()
