"""A live service for the tests of the console, as a process of its own, over a database of the test's own."""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx
from sqlalchemy import Connection, update

from api.auth.scopes import Scope
from api.transparency.formats.signed_note import SignerKey
from eventstore.log.tables import log_checkpoint
from eventstore.merkle.tree_head import EMPTY
from tests.eventstore.recording import opened
from tests.support.clients.keys import bearer, make_key
from tests.support.postgres import as_owner
from tests.support.service import Server
from tests.support.tampering import tamper

T = TypeVar("T")

#: Signs the log's checkpoints. Fixed, so that the pictures are the same in every run.
LOG_KEY = "PRIVATE+KEY+shop.example/items+601078b7+AfSvTBmwVsWiDv/DeWT2dD0tXGzXYrwinltoQrEk+xhF"
#: What an auditor pastes into the console to verify checkpoints.
PUBLIC_KEY = str(SignerKey.parse(LOG_KEY).verifier)

#: The keys of a keyed service, by the names of their holders.
HOLDERS: Mapping[str, tuple[Scope, ...]] = {
    "admin": tuple(Scope),
    "auditor": (Scope.ITEMS_READ, Scope.EVENTS_READ, Scope.EVENTS_EXPORT),
    "clerk": (Scope.ITEMS_READ, Scope.ITEMS_WRITE),
    "operator": (Scope.ITEMS_READ, Scope.PROJECTIONS_REBUILD),
    "reader": (Scope.ITEMS_READ,),
}


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread: Playwright's synchronous API has an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class LiveService:
    """`itemledger serve` that can be stopped, started again on the same port, and tampered with."""

    def __init__(self, database_url: str, *, keyed: bool = False) -> None:
        self.database_url = database_url
        #: The text of each key, by the name of its holder; none if the service is open.
        self.keys: Mapping[str, str] = run(_make_keys(database_url)) if keyed else {}
        self._server = self._serve()
        self.url = self._server.url

    def __enter__(self) -> "LiveService":
        """Wait until the service is ready."""
        self._server.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it."""
        self._server.close()

    def stop(self) -> None:
        """Stop the service as SIGTERM does. Its port then refuses connections."""
        self._server.terminate()
        self._server.process.wait()
        self._server.close()

    def start(self) -> None:
        """Start it again after `stop`, on the same port."""
        self._server = self._serve(self._server.port)
        self._server.wait_until_ready()

    def request(self, method: str, path: str, holder: str = "admin", **options: Any) -> httpx.Response:
        """Send a request as another client than the page. Fail if the service refuses it."""
        headers = bearer(self.keys[holder]) if self.keys else {}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60) as client:
            return client.request(method, path, **options).raise_for_status()

    def tamper(self, *statements: str, covered_up: bool = False) -> None:
        """Change history by SQL, which must be for both databases, as the database's owner can.

        With `covered_up` all hashes and the tree fit, and the head that was signed last is forgotten. The process that
        signed it still knows it: stop and start the service for one that signs the new tree.
        """
        run(self._tamper(*statements, covered_up=covered_up))

    async def _tamper(self, *statements: str, covered_up: bool) -> None:
        async with opened(as_owner(self.database_url)) as database:
            await tamper(database, *statements, covered_up=covered_up)
            if covered_up:
                await database.write(_forget_signed_head)

    def _serve(self, port: int | None = None) -> Server:
        return Server(self.database_url, environment={"ITEMLEDGER_LOG_KEY": LOG_KEY}, port=port)


def _forget_signed_head(connection: Connection) -> None:
    with connection.begin():
        connection.execute(update(log_checkpoint).values(size=EMPTY.size, root=EMPTY.root))


async def _make_keys(database_url: str) -> dict[str, str]:
    async with opened(as_owner(database_url)) as database:
        return {name: (await make_key(database, name, *scopes, lifetime=0)).text for name, scopes in HOLDERS.items()}
