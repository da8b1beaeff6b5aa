"""The service with a judge beside it: every answer of its client is held against its own OpenAPI document."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.http import Contract
from tests.support.postgres import PostgresServer
from tests.support.service import InProcess


def judged(running: InProcess) -> InProcess:
    running.client.event_hooks = {"response": [contract_of(running).hook]}
    return running


def contract_of(running: InProcess) -> Contract:
    return Contract(json.loads(running.services.openapi))


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[InProcess]:
    """The service over an empty database of either kind."""
    async with InProcess.over(database_url) as running:
        yield judged(running)


@pytest.fixture
async def small(sqlite_url: str) -> AsyncIterator[InProcess]:
    """The service over SQLite, for what no database has a part in."""
    async with InProcess.over(sqlite_url, body_timeout=0.05) as running:
        yield judged(running)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        directory: Path = tmp_path_factory.mktemp("shared")
        yield f"sqlite+aiosqlite:///{directory}/itemledger.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared_url: str) -> AsyncIterator[InProcess]:
    """One service for all tests of a module, for requests that must change nothing."""
    async with InProcess.over(shared_url) as running:
        judged(running)
        created = await running.client.post("/items", json={"name": "Fountain pen", "price": 24.5})
        assert created.status_code == 201
        yield running
