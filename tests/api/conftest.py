"""The service with a judge beside it: every answer of its client is held against its own OpenAPI document."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.clients.http import Contract
from tests.support.service import InProcess, migrate


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
async def owned(database_url: str) -> AsyncIterator[InProcess]:
    """The service over an empty database of either kind, under the role that owns the schema: it can rebuild."""
    await migrate(database_url)
    async with InProcess.over_as_it_is(database_url) as running:
        yield judged(running)


@pytest.fixture
async def small(sqlite_url: str) -> AsyncIterator[InProcess]:
    """The service over SQLite, for what no database has a part in."""
    async with InProcess.over(sqlite_url, body_timeout=0.05) as running:
        yield judged(running)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared_url: str) -> AsyncIterator[InProcess]:
    """One service for all tests of a module, for requests that must change nothing."""
    async with InProcess.over(shared_url) as running:
        judged(running)
        created = await running.client.post("/items", json={"name": "Fountain pen", "price": 24.5})
        assert created.status_code == 201
        yield running
