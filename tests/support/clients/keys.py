"""Credentials for tests: keys straight from the table, and headers that show them."""

import asyncio
from functools import partial

from api.auth.api_keys import store
from api.auth.api_keys.cache import ApiKeyCache
from api.auth.api_keys.store import NewKey
from api.auth.scopes import Scope
from eventstore.database.database import Database
from tests.eventstore.recording import opened
from tests.support.service import InProcess

HOUR = 3600 * 1_000_000


async def make_key(database: Database, name: str = "tester", *scopes: Scope, lifetime: int = HOUR) -> NewKey:
    """Make a key for `name`; with no scope given it has them all."""
    make = partial(store.create, name=name, scopes=scopes or [*Scope], lifetime=lifetime, by="test")
    return await database.write(make)


def key_for(database_url: str, name: str = "tester", *scopes: Scope) -> str:
    """Make a key in a database whose schema is at head, for a test without an event loop; return its text."""

    async def make() -> str:
        async with opened(database_url) as database:
            return (await make_key(database, name, *scopes)).text

    return asyncio.run(make())


def as_read(service: InProcess, *, for_ever: bool = False) -> ApiKeyCache:
    """Return the key cache of a service, which reads again at its next request, or never again with `for_ever`."""
    cache: ApiKeyCache = service.services.authenticator._key_cache
    cache._read_at = float("inf" if for_ever else "-inf")
    return cache


def bearer(credential: str) -> dict[str, str]:
    """Return the header that shows a key or a token."""
    return {"authorization": f"Bearer {credential}"}
