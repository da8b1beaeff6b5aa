"""The service under test: in this process and event loop, or as a process of its own; and databases for it."""

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
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import uvicorn
from sqlalchemy.engine import make_url

import migrations
from api.app import Services, create_app, run
from api.edge.boundary import Boundary
from api.edge.client_timeouts import TimeoutHttpProtocol
from api.secret import SecretUrl
from api.settings import Settings
from eventstore.database.database import Database
from eventstore.database.engine import open_database
from eventstore.database.postgresql.database import PostgresDatabase
from eventstore.database.sqlite.database import SqliteDatabase
from migrations.rights import grant
from tests.support.fork_server import Forked, ForkServer
from tests.support.postgres import SERVICE_ROLE, PostgresServer, as_owner, as_service

ITEMLEDGER = Path(sys.executable).parent / "itemledger"

#: An SQLite file with the schema at head; None before `prepare_sqlite`.
_sqlite_file: bytes | None = None
#: URLs of databases that `copy_postgres` made and `migrate` has not seen yet.
_migrated: set[str] = set()


class InProcess:
    """A running application, and a client that calls it without a socket."""

    def __init__(self, app: Boundary, services: Services, client: httpx.AsyncClient) -> None:
        self.app = app
        self.services = services
        self.client = client

    @property
    def url(self) -> str:
        """The URL of its database."""
        return self.services.database.url.render_as_string(hide_password=False)

    @classmethod
    @asynccontextmanager
    async def over(cls, database_url: str, **settings: Any) -> AsyncIterator["InProcess"]:
        """Migrate `database_url` to head and run the application over it, under the service's role."""
        await migrate(database_url)
        async with cls.over_as_it_is(as_service(database_url), **settings) as running:
            yield running

    @classmethod
    @asynccontextmanager
    async def over_as_it_is(cls, database_url: str, **settings: Any) -> AsyncIterator["InProcess"]:
        """Run the application over a database with the schema at head, under the role in `database_url`."""
        # The logs of tests have times of their own.
        settings = {"accept_clock": True, "insecure_role": as_owner(database_url) == database_url, **settings}
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
        """Open the database as its owner, for changes that the service's role may not make."""
        database = open_database(as_owner(self.url))
        try:
            yield database
        finally:
            await database.dispose()


def beside_another() -> AbstractContextManager[object]:
    """Let a service start over an SQLite file that another in this process serves: as a later process would see it."""
    return mock.patch.object(SqliteDatabase, "serving", Database.serving)


class Listening:
    """The server of `itemledger serve`, in this process and event loop."""

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
        """Return the application's services."""
        assert self.app._services is not None
        return self.app._services

    @classmethod
    @asynccontextmanager
    async def over(cls, database_url: str, **settings: Any) -> AsyncIterator["Listening"]:
        """Migrate `database_url` to head and serve it on a free port."""
        await migrate(database_url)
        running = cls(create_app(Settings(database_url=SecretUrl(database_url), accept_clock=True, **settings)))
        try:
            while not running._server.started:
                assert not running._serving.done(), running._serving
                await asyncio.sleep(0.01)
            yield running
        finally:
            await running.stop()

    async def stop(self) -> None:
        """Stop as for a signal, and return when the server has stopped."""
        self._server.should_exit = True
        await self._serving


@asynccontextmanager
async def started(app: Boundary) -> AsyncIterator[None]:
    """Hold an ASGI application's lifespan open. Fail if the application reports that its start failed."""
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
    """Bring a database's schema to head and grant the service's role its rights, or go down to an earlier revision.

    An SQLite file that does not exist yet is copied from the prepared one, if there is one.
    """
    if down_to is None and (database_url in _migrated or _copy_sqlite(database_url)):
        _migrated.discard(database_url)  # a second call migrates: the test may have changed the schema
        return
    database = open_database(database_url)
    if down_to is None:
        await database.write(migrations.upgrade)
        if isinstance(database, PostgresDatabase):
            await database.write(partial(grant, role=SERVICE_ROLE))
    else:
        await database.write(partial(migrations.downgrade, revision=down_to))
    await database.dispose()


async def prepare_sqlite(directory: Path) -> None:
    """Migrate an SQLite file for `migrate` to copy. Call it before a test patches what migrations read."""
    global _sqlite_file  # noqa: PLW0603  (one for the process)
    path = directory / "template.db"
    await migrate(f"sqlite+aiosqlite:///{path}")
    _sqlite_file = path.read_bytes()  # the last connection moved the write-ahead log into it


async def prepare_postgres(server: PostgresServer) -> str:
    """Migrate a database for `copy_postgres` to copy, and return its name."""
    name = "migrated"
    await migrate(server.create_database(name))
    return name


def copy_postgres(server: PostgresServer, template: str) -> str:
    """Create a database with the schema at head, and return its URL for the superuser."""
    url = server.create_database(template=template)
    _migrated.add(url)
    return url


def _copy_sqlite(database_url: str) -> bool:
    """Copy the prepared file to a new one, and return whether that was possible."""
    url = make_url(database_url)
    path = Path(url.database or "")
    if _sqlite_file is None or url.get_backend_name() != "sqlite" or path.exists() or not path.parent.is_dir():
        return False
    path.write_bytes(_sqlite_file)
    path.chmod(0o600)  # as the service creates it
    return True


@cache
def _fork_server() -> ForkServer:
    """Return the fork server of this process."""
    return ForkServer()


class Server:
    """`itemledger serve` as a process, on a free port unless one is given."""

    def __init__(
        self,
        database_url: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        as_owner: bool = False,
        port: int | None = None,
    ) -> None:
        """Start the process: on PostgreSQL under the service's role, or `as_owner` of the schema."""
        url = database_url if as_owner else as_service(database_url)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # A file, not a pipe: a pipe that is not read fills up and blocks the server.
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by close)
        options = ["--port", str(self.port), *arguments]
        outer = {**outer_environment(), "DATABASE_URL": url, "ITEMLEDGER_ACCEPT_CLOCK": "true", **(environment or {})}
        if as_owner:
            outer["ITEMLEDGER_INSECURE_ROLE"] = "true"
        self.process: subprocess.Popen[bytes] | Forked
        if command is None and "--workers" not in options:  # workers are started by the command that started the parent
            self.process = _fork_server().start(["serve", *options], outer, self._output.fileno())
        else:
            self.process = subprocess.Popen(
                [*(command or (str(ITEMLEDGER), "serve")), *options],
                env=outer,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that a kill reaches every worker
            )

    def wait_until_ready(self, verify: ssl.SSLContext | bool = True) -> None:
        """Return once the server is ready. Fail with its output if it ends first."""
        # Without certificates: to load them takes longer than most of a start, and this asks many times.
        with httpx.Client(verify=False if verify is True else verify, timeout=60) as client:
            while self.process.poll() is None:
                try:
                    if client.get(f"{self.url}/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.02)
        raise AssertionError(self.output())

    def terminate(self) -> None:
        """Ask the server for a graceful stop."""
        self.process.terminate()

    def kill(self) -> None:
        """Kill the server and its workers."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.killpg(self.process.pid, signal.SIGKILL)

    def output(self) -> str:
        """Wait for the end of the server and return its output."""
        self.process.wait()
        self._output.seek(0)
        return self._output.read()

    def close(self) -> None:
        """Kill the server and close its output file."""
        self.kill()
        self.process.wait()
        self._output.close()


@contextmanager
def serving(database_url: str, *arguments: str, **options: Any) -> Iterator[Server]:
    """Run `itemledger serve` over a database with the schema at head. The server itself migrates SQLite."""
    server = Server(database_url, *arguments, **options)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.close()


def outer_environment() -> dict[str, str]:
    """Return this process's environment without the tests' own variables, which the service would refuse."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ITEMLEDGER_")}


def free_port() -> int:
    """Return a port on which no process listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
