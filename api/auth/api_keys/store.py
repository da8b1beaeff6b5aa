"""API keys as they are kept: who has one, for what, until when. Not their secrets, which nobody keeps.

A row is never removed: the events that a key's holder made name it for ever. `name` is that of the holder, the `actor`
of those events; several keys can have it, of which `rotate` lets two be good at once.
"""

from collections.abc import Collection, Mapping
from time import time_ns
from typing import Any, NamedTuple

from msgspec import Struct, structs
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from api.auth.api_keys.format import new_key, read_key
from api.auth.scopes import Scope, as_scopes
from eventstore.database.session import allow_async_commit
from eventstore.log.tables import BigInt, metadata

#: A holder's name: what a log, a query and a shell can show as it is. "anonymous" is nobody's.
NAME_PATTERN = r"(?!anonymous$)[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}"
#: The same for the whole of a text. "$" alone would let a line feed pass at the end.
WHOLE_NAME_PATTERN = rf"^{NAME_PATTERN}(?![\s\S])"
NAME_RULE = "1 to 64 of A-Z a-z 0-9 . _ @ + -, of which the first is a letter or digit; and not anonymous"

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    #: SHA-256 of the key.
    Column("digest", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    #: The how manieth key of that name it is, from 1.
    Column("generation", Integer, nullable=False),
    #: With spaces between them (RFC 6749, section 3.3).
    Column("scopes", Text, nullable=False),
    #: Times are in microseconds since the epoch, UTC.
    Column("created_at", BigInt, nullable=False),
    Column("created_by", Text, nullable=False),
    #: From then on it is not good; NULL: it does not expire.
    Column("expires_at", BigInt),
    Column("revoked_at", BigInt),
    Column("revoked_by", Text),
    #: The key that `rotate` made to take this one's place.
    Column("replaced_by", Text),
    #: To within some minutes; see `key_uses.py`.
    Column("last_used_at", BigInt),
    #: How often the row was changed, from 1; uses are no change. The sum over all rows tells whether any was.
    Column("revision", Integer, nullable=False),
    UniqueConstraint("name", "generation"),
    CheckConstraint("length(digest) = 32", name="digest"),
)


class ApiKey(Struct, frozen=True):
    """A key as everybody may see it who administers keys."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: int
    created_by: str
    expires_at: int | None = None
    revoked_at: int | None = None
    revoked_by: str | None = None
    replaced_by: str | None = None
    last_used_at: int | None = None

    def is_active(self, now: int) -> bool:
        """Tell whether it lets its holder in at `now`, in microseconds since the epoch."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class NewKey(NamedTuple):
    """A key that was just made, and its text, which nobody can show again."""

    key: ApiKey
    text: str


class KeyChangeError(Exception):
    """The keys can't be changed so; the message says why."""


class NoSuchKeyError(KeyChangeError):
    """There is no key of that id."""


class KeyEndedError(KeyChangeError):
    """The key is good no longer, or was replaced."""


class NameTakenError(KeyChangeError):
    """The name has a key that is good."""


def now() -> int:
    """Give the time in microseconds since the epoch, UTC."""
    return time_ns() // 1000


def create(connection: Connection, name: str, scopes: Collection[Scope], lifetime: int, by: str) -> NewKey:
    """Make a key for `name`, which is to match NAME_PATTERN, on behalf of `by`, in a transaction of its own.

    It expires after `lifetime` microseconds; 0: it does not. Raises NameTakenError where `name` has a key that is good:
    whoever gets another would be the same actor to all who read the history. A holder's next key comes by `rotate`.
    """
    with connection.begin():
        moment = now()
        of_name = [key for key in read_all(connection) if key.name == name]
        if good := [key.id for key in of_name if key.is_active(moment)]:
            raise NameTakenError(f"{name} has a key that is good, {good[0]}: rotate or revoke that")
        # Of two who find none that is good the second one's number is taken by then.
        return _insert(connection, name, len(of_name) + 1, scopes, moment, lifetime, by)


def rotate(connection: Connection, key_id: str, overlap: int, lifetime: int | None, by: str) -> NewKey:
    """Make a key to take the place of `key_id`, which stays good for `overlap` microseconds more at most.

    The new one has the same name and scopes, and expires after `lifetime` microseconds (0: it does not), by default as
    long as the old one was made for. Raises NoSuchKeyError, and KeyEndedError where it was replaced before, too.
    """
    with connection.begin():
        moment = now()
        old = _good(connection, key_id, moment)
        if old.replaced_by is not None:
            raise KeyEndedError(f"The key {key_id} was replaced already, by {old.replaced_by}")
        if lifetime is None:
            lifetime = 0 if old.expires_at is None else old.expires_at - old.created_at
        count = select(func.count()).where(api_keys.c.name == old.name)
        generation = connection.execute(count).scalar_one() + 1
        new = _insert(connection, old.name, generation, old.scopes, moment, lifetime, by)
        end = moment + overlap if old.expires_at is None else min(moment + overlap, old.expires_at)
        _change(connection, key_id, expires_at=end, replaced_by=new.key.id)
        return new


def revoke(connection: Connection, key_id: str, by: str) -> ApiKey:
    """End `key_id` at once, and give it. Raises NoSuchKeyError and KeyEndedError."""
    with connection.begin():
        moment = now()
        key = _good(connection, key_id, moment)
        _change(connection, key_id, revoked_at=moment, revoked_by=by)
        return structs.replace(key, revoked_at=moment, revoked_by=by)


def note_uses(connection: Connection, uses: Mapping[str, int]) -> None:
    """Store when keys, by id, were last used: in a transaction that waits for no disk where the database lets it."""
    with connection.begin():
        allow_async_commit(connection)
        last, moment = api_keys.c.last_used_at, bindparam("moment", type_=BigInt)
        # Other processes note uses as well.
        used = update(api_keys).where(api_keys.c.id == bindparam("key_id"), or_(last.is_(None), last < moment))
        parameters = [{"key_id": key_id, "moment": used_at} for key_id, used_at in sorted(uses.items())]
        connection.execute(used.values(last_used_at=moment), parameters)


def read_all(connection: Connection) -> list[ApiKey]:
    """Read all keys, those of one name together, the newest last."""
    return [as_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.name, "generation"))]


def find(connection: Connection, key_id: str, *, for_update: bool = False) -> ApiKey:
    """Read one key, which nobody else changes until the transaction ends, where it is `for_update`.

    Raises NoSuchKeyError.
    """
    wanted = select(api_keys).where(api_keys.c.id == key_id)
    row = connection.execute(wanted.with_for_update() if for_update else wanted).one_or_none()
    if row is None:
        raise NoSuchKeyError(f"There is no key {key_id}")
    return as_key(row)


def as_key(row: Row[Any]) -> ApiKey:
    """Make a key of its row, without the scopes that only another version of the service knows."""
    known = {field: row._mapping[field] for field in ApiKey.__struct_fields__}
    return ApiKey(**{**known, "scopes": as_scopes(row.scopes.split(" "))})


def _insert(
    connection: Connection,
    name: str,
    generation: int,
    scopes: Collection[Scope],
    moment: int,
    lifetime: int,
    by: str,
) -> NewKey:
    text = new_key()
    presented = read_key(text.encode())
    assert presented is not None
    key = ApiKey(presented.id, name, as_scopes(scopes), moment, by, moment + lifetime if lifetime else None)
    row = {**structs.asdict(key), "scopes": " ".join(key.scopes), "digest": presented.digest, "revision": 1}
    try:
        connection.execute(insert(api_keys).values(**row, generation=generation))
    except IntegrityError:
        raise NameTakenError(f"Somebody else makes a key for {name} at this moment") from None
    return NewKey(key, text)


def _good(connection: Connection, key_id: str, moment: int) -> ApiKey:
    key = find(connection, key_id, for_update=True)
    if not key.is_active(moment):
        raise KeyEndedError(f"The key {key_id} {'has expired' if key.revoked_at is None else 'was revoked'} already")
    return key


def _change(connection: Connection, key_id: str, **values: object) -> None:
    changed = update(api_keys).where(api_keys.c.id == key_id)
    connection.execute(changed.values(**values, revision=api_keys.c.revision + 1))
