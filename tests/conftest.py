"""Fixtures every test may use. What says `database_url` runs on SQLite and on a real PostgreSQL alike."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from eventstore.database.database import Database
from eventstore.database.engine import open_database
from tests.support.postgres import PostgresServer
from tests.support.service import InProcess, migrate


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the whole run."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database of the test's own."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite file of the test's own, which is not there yet."""
    return f"sqlite+aiosqlite:///{tmp_path}/itemledger.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own, once of either kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database for all tests of a module, once of either kind."""
    if request.param == "sqlite":
        directory: Path = tmp_path_factory.mktemp("shared")
        yield f"sqlite+aiosqlite:///{directory}/itemledger.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database of either kind with the schema at head, by the role that owns it: for what the service may not do."""
    await migrate(database_url)
    opened = open_database(database_url)
    yield opened
    await opened.dispose()


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[InProcess]:
    """The service over a database of either kind, in this process and event loop."""
    async with InProcess.over(database_url) as running:
        yield running


@pytest.fixture
async def ready_url(database_url: str) -> str:
    """A database of either kind with the schema at head, which this process does not hold open.

    Else the test would keep SQLite's write-ahead log alive over the end of the server that wrote it.
    """
    await migrate(database_url)
    return database_url
