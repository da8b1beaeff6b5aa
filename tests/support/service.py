"""The service under test: in this process and event loop, or as the process that users start."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn

import migrations
from api.app import Services, create_app, run
from api.edge.boundary import Boundary
from api.edge.client_timeouts import TimeoutHttpProtocol
from api.secret import SecretUrl
from api.settings import Settings
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.database.postgresql import PostgresDatabase
from migrations.rights import grant
from tests.support.postgres import SERVICE_ROLE, as_owner, as_service

ITEMLEDGER = Path(sys.executable).parent / "itemledger"


class InProcess:
    """A running application and a client that speaks to it without a socket."""

    def __init__(self, app: Boundary, services: Services, client: httpx.AsyncClient) -> None:
        self.app = app
        self.services = services
        self.client = client

    @classmethod
    @asynccontextmanager
    async def over(cls, database_url: str, **settings: Any) -> AsyncIterator["InProcess"]:
        """Run the application over `database_url`, its schema brought to head, under the role that the service has."""
        await migrate(database_url)
        async with cls.over_as_it_is(as_service(database_url), **settings) as running:
            yield running

    @classmethod
    @asynccontextmanager
    async def over_as_it_is(cls, database_url: str, **settings: Any) -> AsyncIterator["InProcess"]:
        """Run the application over a database whose schema is at head, under the role that `database_url` names."""
        chosen = Settings(database_url=SecretUrl(database_url), **settings)
        async with run(chosen) as services:

            @asynccontextmanager
            async def lifespan() -> AsyncIterator[Services]:
                yield services

            app = create_app(chosen, lifespan)
            async with started(app):
                transport = httpx.ASGITransport(app, raise_app_exceptions=True)
                async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                    yield cls(app, services, client)

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Database]:
        """Open the database as its owner does, to do behind the service's back what the service may not."""
        database = open_database(as_owner(self.services.database.url.render_as_string(hide_password=False)))
        try:
            yield database
        finally:
            await database.dispose()


class Listening:
    """The server that users start, in this process and event loop."""

    def __init__(self, app: Boundary) -> None:
        self.app = app
        self.port = free_port()
        config = uvicorn.Config(
            app, http=TimeoutHttpProtocol, port=self.port, lifespan="on", log_config=None, proxy_headers=False
        )
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve())

    @property
    def services(self) -> Services:
        """What its application runs on."""
        assert self.app._services is not None
        return self.app._services

    @classmethod
    @asynccontextmanager
    async def over(cls, database_url: str, **settings: Any) -> AsyncIterator["Listening"]:
        """Serve `database_url`, its schema brought to head, on a port of its own."""
        await migrate(database_url)
        running = cls(create_app(Settings(database_url=SecretUrl(database_url), **settings)))
        try:
            while not running._server.started:
                assert not running._serving.done(), running._serving
                await asyncio.sleep(0.01)
            yield running
        finally:
            await running.stop()

    async def stop(self) -> None:
        """Stop as for a signal, and return when it has."""
        self._server.should_exit = True
        await self._serving


@asynccontextmanager
async def started(app: Boundary) -> AsyncIterator[None]:
    """Hold an ASGI application's lifespan open. Fails where the application says that its start failed."""
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outgoing: asyncio.Queue[Any] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan"}, incoming.get, outgoing.put))
    incoming.put_nowait({"type": "lifespan.startup"})
    assert (message := await outgoing.get())["type"] == "lifespan.startup.complete", message
    yield
    incoming.put_nowait({"type": "lifespan.shutdown"})
    assert (message := await outgoing.get())["type"] == "lifespan.shutdown.complete", message
    await task


async def migrate(database_url: str, down_to: str | None = None) -> None:
    """Bring a database's schema to head and let the service's role use it, or down to an earlier revision."""
    database = open_database(database_url)
    if down_to is None:
        await database.write(migrations.upgrade)
        if isinstance(database, PostgresDatabase):
            await database.write(partial(grant, role=SERVICE_ROLE))
    else:
        await database.write(partial(migrations.downgrade, revision=down_to))
    await database.dispose()


class Server:
    """`itemledger serve` as a process of its own, on a port of its own."""

    def __init__(
        self,
        database_url: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (str(ITEMLEDGER), "serve"),
        as_owner: bool = False,
    ) -> None:
        """Start it, on PostgreSQL under the service's role, or `as_owner` of the schema."""
        url = database_url if as_owner else as_service(database_url)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # A file, not a pipe: a pipe that nobody reads fills up and stops the server.
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by close)
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), *arguments],
            env={**outer_environment(), "DATABASE_URL": url, **(environment or {})},
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that a kill reaches every worker
        )

    def wait_until_ready(self, seconds: float = 20, verify: ssl.SSLContext | bool = True) -> None:
        """Return once the server says it can work; fail with what it printed where it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2, verify=verify).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        self.kill()
        raise AssertionError(self.output())

    def terminate(self) -> None:
        """Ask for a graceful stop."""
        self.process.terminate()

    def kill(self) -> None:
        """End it and its workers at once, as a crash would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def output(self, seconds: float = 20) -> str:
        """Wait for its end and give what it printed."""
        self.process.wait(seconds)
        self._output.seek(0)
        return self._output.read()

    def close(self) -> None:
        """End it and let go of what it printed."""
        self.kill()
        self.process.wait()
        self._output.close()


@contextmanager
def serving(database_url: str, *arguments: str, **options: Any) -> Iterator[Server]:
    """Run `itemledger serve` over a database whose schema is at head (SQLite's is brought there by itself)."""
    server = Server(database_url, *arguments, **options)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.close()


def outer_environment() -> dict[str, str]:
    """Give this process's environment without what is meant for the tests, which the service would refuse."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ITEMLEDGER_")}


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
