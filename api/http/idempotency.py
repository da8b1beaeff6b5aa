"""The `Idempotency-Key` header: a request that is sent again with its key has no second effect.

The header is a string of Structured Fields (RFC 8941), as draft-ietf-httpapi-idempotency-key-header-07 has it, or one
word without quotes, as many clients send it. There is no store of keys: a key becomes the id of its command, and the
log tells whether that command was carried out.
"""

import re
from hashlib import sha256

MAX_LENGTH = 255

_IN_QUOTES = r'(?:[ !#-\[\]-~]|\\["\\])'
_IN_WORD = r"[!#-+\--\[\]-~]"

#: What the header may be, for Python and ECMA 262 alike.
PATTERN = rf'^(?:"{_IN_QUOTES}{{1,{MAX_LENGTH}}}"|{_IN_WORD}{{1,{MAX_LENGTH}}})$'

_QUOTED = re.compile(f'"({_IN_QUOTES}*)"'.encode())
_BARE = re.compile(f"{_IN_WORD}+".encode())


def read_key(header: bytes | None) -> str | None:
    """Read the header, None where there is none. Raises Problem (400)."""
    # Imported here, so that the settings, which only need PATTERN, do not import the framework.
    from api.http.problems import INVALID_HEADER, Problem

    if header is None:
        return None
    key = header.strip(b" \t")
    if quoted := _QUOTED.fullmatch(key):
        key = re.sub(rb"\\(.)", rb"\1", quoted[1])
    elif not _BARE.fullmatch(key):
        raise Problem(INVALID_HEADER, "Idempotency-Key is a string in double quotes, or one word of ASCII")
    if not 1 <= len(key) <= MAX_LENGTH:
        raise Problem(INVALID_HEADER, f"An Idempotency-Key has 1 to {MAX_LENGTH} characters")
    return key.decode()


def command_id(actor: str, method: str, path: str, key: str) -> str:
    """Give the id of the command that `key` stands for: SHA-256 over the four, a line each, in hexadecimal digits."""
    return "key:" + sha256("".join(f"{part}\n" for part in (actor, method, path, key)).encode()).hexdigest()
