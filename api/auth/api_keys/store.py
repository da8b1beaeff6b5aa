"""Create, rotate, revoke and read API keys.

A key has a holder's name. Several keys can have one name: `rotate` lets two of them be active at once, for one holder.
After all of them have ended, `create` may give the name to another holder, and says that it was in use before.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from msgspec import structs
from sqlalchemy import Connection, bindparam, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from api.auth.api_keys.first_key import note_key
from api.auth.api_keys.format import new_key, read_key
from api.auth.api_keys.table import ApiKey, api_keys, as_key
from api.auth.principal import CredentialError, Principal
from api.auth.scopes import Scope, as_scopes
from eventstore.clock import now
from eventstore.database.failures import commit
from eventstore.database.session import allow_async_commit
from eventstore.log.tables import BigInt


class NewKey(NamedTuple):
    """A key that was just created, and its text, which cannot be shown again."""

    key: ApiKey
    text: str
    #: The keys that its name had before, the oldest first, all of them ended; none for a rotated key, whose holder is
    #: the same.
    earlier: Sequence[ApiKey] = ()


class KeyChangeError(Exception):
    """A change of a key is not possible; the message says why."""


class NoSuchKeyError(KeyChangeError):
    """No key has this id."""


class KeyEndedError(KeyChangeError):
    """The key is not active, or was already replaced."""


class NameTakenError(KeyChangeError):
    """The name already has an active key."""


def create(
    connection: Connection,
    name: str,
    scopes: Collection[Scope],
    lifetime: int,
    by: str,
    client: Principal | None = None,
) -> NewKey:
    """Create a key for `name`, which must match NAME_PATTERN, on behalf of `by`, in its own transaction.

    `client`: the client that asks for it, None for an operator; see `_changing`. The key expires after `lifetime`
    microseconds; 0 means never. Raises NameTakenError if `name` has an active key: a second holder would be the same
    actor in the history. A holder gets further keys by `rotate`. If the name had keys before, `earlier` has them.
    """
    with _changing(connection, client) as moment:
        same_name = [
            as_key(row)
            for row in connection.execute(select(api_keys).where(api_keys.c.name == name).order_by("generation"))
        ]
        if active := [key.id for key in same_name if key.is_active(moment)]:
            raise NameTakenError(f"{name} already has an active key, {active[0]}. Rotate or revoke it instead")
        # If two transactions get here at once, the unique generation fails the second.
        new = _insert(
            connection,
            len(same_name) + 1,
            name=name,
            scopes=as_scopes(scopes),
            created_at=moment,
            expires_at=moment + lifetime if lifetime else None,
            **_author("created", by, client),
        )
        return new._replace(earlier=same_name)


def rotate(
    connection: Connection,
    key_id: str,
    overlap: int,
    lifetime: int | None,
    by: str,
    client: Principal | None = None,
) -> NewKey:
    """Create a key that replaces `key_id`, which stays active for at most `overlap` more microseconds.

    The new key has the same name and scopes. It expires after `lifetime` microseconds (0: never), by default the
    lifetime of the old key. Raises NoSuchKeyError, and KeyEndedError, also if the key was already replaced.
    """
    with _changing(connection, client) as moment:
        old = _active(connection, key_id, moment)
        if old.replaced_by is not None:
            raise KeyEndedError(f"The key {key_id} was already replaced, by {old.replaced_by}")
        if lifetime is None:
            lifetime = 0 if old.expires_at is None else old.expires_at - old.created_at
        count = select(func.count()).where(api_keys.c.name == old.name)
        generation = connection.execute(count).scalar_one() + 1
        new = _insert(
            connection,
            generation,
            original_id=old.original_id,
            name=old.name,
            scopes=old.scopes,
            created_at=moment,
            expires_at=moment + lifetime if lifetime else None,
            **_author("created", by, client),
        )
        end = moment + overlap if old.expires_at is None else min(moment + overlap, old.expires_at)
        _change(connection, key_id, expires_at=end, replaced_by=new.key.id)
        return new


def revoke(connection: Connection, key_id: str, by: str, client: Principal | None = None) -> ApiKey:
    """Revoke a key at once, and return it. Raises NoSuchKeyError and KeyEndedError."""
    with _changing(connection, client) as moment:
        key = _active(connection, key_id, moment)
        revoked = {"revoked_at": moment, **_author("revoked", by, client)}
        _change(connection, key_id, **revoked)
        return structs.replace(key, **revoked)


def save_uses(connection: Connection, uses: Mapping[str, int]) -> None:
    """Save the last uses of keys, by id, in a transaction that does not wait for the disk if the database allows it."""
    with connection.begin():
        allow_async_commit(connection)
        last, used_at = api_keys.c.last_used_at, bindparam("used_at", type_=BigInt)
        # Another process may have saved a later use.
        older = update(api_keys).where(api_keys.c.id == bindparam("key_id"), or_(last.is_(None), last < used_at))
        parameters = [{"key_id": key_id, "used_at": time} for key_id, time in sorted(uses.items())]
        connection.execute(older.values(last_used_at=used_at), parameters)


def read_all(connection: Connection) -> list[ApiKey]:
    """Read all keys, by name, then by age, the newest last."""
    return [as_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.name, "generation"))]


def read_page(
    connection: Connection, limit: int, *, active_at: int | None, after: str | None
) -> tuple[list[ApiKey], str | None]:
    """Read at most `limit` keys in the order of `read_all`; also return the id where the next page begins, or None.

    `active_at`: only keys that are active then. `after`: the id of the last key before the page. Raises NoSuchKeyError
    if no key has it.
    """
    order = (api_keys.c.name, api_keys.c.generation)
    query = select(api_keys).order_by(*order).limit(limit + 1)
    if active_at is not None:
        expires_at = api_keys.c.expires_at
        query = query.where(api_keys.c.revoked_at.is_(None), or_(expires_at.is_(None), expires_at > active_at))
    if after is not None:
        last = connection.execute(select(*order).where(api_keys.c.id == after)).one_or_none()
        if last is None:
            raise NoSuchKeyError(f"No API key has the id {after}")
        query = query.where(tuple_(*order) > tuple_(literal(last.name), literal(last.generation)))
    keys = [as_key(row) for row in connection.execute(query)]
    return keys[:limit], keys[limit - 1].id if len(keys) > limit else None


def find(connection: Connection, key_id: str, *, for_update: bool = False) -> ApiKey:
    """Read one key, locked until the transaction ends if `for_update`. Raises NoSuchKeyError."""
    query = select(api_keys).where(api_keys.c.id == key_id)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    if row is None:
        raise NoSuchKeyError(f"No API key has the id {key_id}")
    return as_key(row)


@contextmanager
def _changing(connection: Connection, client: Principal | None) -> Iterator[int]:
    """Begin a transaction that changes keys on behalf of `client`, provide its time, and commit it.

    The client was authenticated by what this process had read up to a second ago. Here the database says whether its
    credential is still active, and keeps it so until the commit: an ended credential must not leave a new one behind.
    Raises CredentialError, and OutcomeUnknownError from a failed commit.
    """
    with connection.begin() as transaction:
        moment = now()
        if client is not None:
            _check(connection, client, moment)
        yield moment
        commit(transaction)


def _check(connection: Connection, client: Principal, moment: int) -> None:
    if client.credential is None:
        if not note_key(connection, moment):
            raise CredentialError("no credential")
    elif client.expires_at is not None and client.expires_at * 1e6 <= moment:
        raise CredentialError("expired credential", client.key_id)
    elif client.key_id is not None:
        try:
            _active(connection, client.key_id, moment)
        except KeyChangeError:
            raise CredentialError("ended key", client.key_id) from None


def _author(change: str, by: str, client: Principal | None) -> dict[str, Any]:
    """Return the fields of a key that say who changed it, and by which credential."""
    return {f"{change}_by": by, f"{change}_by_credential": None if client is None else client.credential}


def _insert(connection: Connection, generation: int, **fields: Any) -> NewKey:
    text = new_key()
    parsed = read_key(text.encode())
    assert parsed is not None
    key = ApiKey(**{"id": parsed.id, "original_id": parsed.id, **fields})
    row = {**structs.asdict(key), "scopes": " ".join(key.scopes), "digest": parsed.digest, "revision": 1}
    note_key(connection, key.created_at)
    try:
        connection.execute(insert(api_keys).values(**row, generation=generation))
    except IntegrityError:
        raise NameTakenError(f"Another client has just created a key for {key.name}") from None
    return NewKey(key, text)


def _active(connection: Connection, key_id: str, moment: int) -> ApiKey:
    key = find(connection, key_id, for_update=True)
    if not key.is_active(moment):
        raise KeyEndedError(f"The key {key_id} {'has expired' if key.revoked_at is None else 'was revoked'}")
    return key


def _change(connection: Connection, key_id: str, **values: object) -> None:
    change = update(api_keys).where(api_keys.c.id == key_id)
    connection.execute(change.values(**values, revision=api_keys.c.revision + 1))
