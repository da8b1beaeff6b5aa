"""The table of API keys: their holders, scopes and lifetimes, but not their secrets, which are stored nowhere.

Rows are never deleted, because events name keys for ever. `name` is the holder, the `actor` of its events.
"""

from typing import Any

from msgspec import Struct
from sqlalchemy import Row
from sqlalchemy.schema import CheckConstraint, Column, Table, UniqueConstraint
from sqlalchemy.types import Integer, LargeBinary, Text

from api.auth.scopes import Scope, as_scopes
from eventstore.log.tables import BigInt, metadata

#: A holder's name, which logs, queries and shells can show without quoting.
NAME_PATTERN = r"(?!anonymous$)[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}"
#: The same, anchored. "$" alone would match before a line feed at the end.
WHOLE_NAME_PATTERN = rf"^{NAME_PATTERN}(?![\s\S])"
NAME_RULE = "1 to 64 of the characters A-Z a-z 0-9 . _ @ + -, the first a letter or digit; `anonymous` is reserved"

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of the key
    #: The key that it descends from by rotation, itself if none: one holder has all keys with the same.
    Column("original_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("generation", Integer, nullable=False),  # the key's sequence number within its name, starting at 1
    Column("scopes", Text, nullable=False),  # separated by spaces (RFC 6749, section 3.3)
    #: All times are in microseconds since the epoch, UTC.
    Column("created_at", BigInt, nullable=False),
    Column("created_by", Text, nullable=False),
    #: As in the events of an author: `key:ID` or `jwt:ISSUER`; NULL for a user of the machine, and for `anonymous`.
    Column("created_by_credential", Text),
    Column("expires_at", BigInt),  # NULL if it does not expire
    Column("revoked_at", BigInt),
    Column("revoked_by", Text),
    Column("revoked_by_credential", Text),
    Column("replaced_by", Text),  # the id of the key by which `rotate` replaced it
    Column("last_used_at", BigInt),  # to within some minutes; see `usage.py`
    #: Starts at 1, and grows with each change but a use. The sum over all rows shows whether any row changed.
    Column("revision", Integer, nullable=False),
    UniqueConstraint("name", "generation"),
    CheckConstraint("length(digest) = 32", name="digest"),
)


class ApiKey(Struct, frozen=True):
    """A key without its secret."""

    id: str
    original_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: int
    created_by: str
    created_by_credential: str | None = None
    expires_at: int | None = None
    revoked_at: int | None = None
    revoked_by: str | None = None
    revoked_by_credential: str | None = None
    replaced_by: str | None = None
    last_used_at: int | None = None

    @property
    def credential(self) -> str:
        """The text that stands for the key in the events that it causes."""
        return f"key:{self.id}"

    @property
    def original_credential(self) -> str:
        """The same of the key that it descends from by rotation."""
        return f"key:{self.original_id}"

    def is_active(self, now: int) -> bool:
        """Return whether the key can be used at `now`, in microseconds since the epoch."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def as_key(row: Row[Any]) -> ApiKey:
    """Convert a row to a key, without the scopes that only another version of the service knows."""
    fields = {field: row._mapping[field] for field in ApiKey.__struct_fields__}
    return ApiKey(**{**fields, "scopes": as_scopes(row.scopes.split(" "))})
