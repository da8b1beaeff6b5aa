"""The service with every response of its client checked against its own OpenAPI document."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from msgspec import UNSET
from msgspec.structs import asdict
from structlog.testing import CapturingLogger

from api.edge import exchange
from api.logs import RequestLine
from tests.support.clients.http import Contract
from tests.support.service import InProcess, beside_another, migrate


def judged(running: InProcess) -> InProcess:
    running.client.event_hooks = {"response": [contract_of(running).hook]}
    return running


@asynccontextmanager
async def another(service: InProcess) -> AsyncIterator[InProcess]:
    """Run the service a second time over the same database, as another process or a later one would."""
    url = service.url
    with beside_another():
        async with InProcess.over(url) as other:
            yield judged(other)


def contract_of(running: InProcess) -> Contract:
    return _contract(running.services.openapi())


@cache
def _contract(document: bytes) -> Contract:
    return Contract(json.loads(document))


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[InProcess]:
    """The service over an empty database, once of either kind."""
    async with InProcess.over(database_url) as running:
        yield judged(running)


@pytest.fixture
async def owned(database_url: str) -> AsyncIterator[InProcess]:
    """The service over an empty database, once of either kind, under the schema's owner: it can rebuild."""
    await migrate(database_url)
    async with InProcess.over_as_it_is(database_url) as running:
        yield judged(running)


@pytest.fixture
async def small(sqlite_url: str) -> AsyncIterator[InProcess]:
    """The service over SQLite, for tests that do not depend on the database."""
    async with InProcess.over(sqlite_url, body_timeout=0.05) as running:
        yield judged(running)


@asynccontextmanager
async def with_one_item(database_url: str) -> AsyncIterator[InProcess]:
    async with InProcess.over(database_url) as running:
        judged(running)
        created = await running.client.post("/items", json={"name": "Fountain pen", "price": 24.5})
        assert created.status_code == 201
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared_url: str) -> AsyncIterator[InProcess]:
    """One service for all tests of a module, once over either database."""
    async with with_one_item(shared_url) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    """One service for all tests of a module, over SQLite alone.

    For requests that are refused or answered before any database is asked.
    """
    directory: Path = tmp_path_factory.mktemp("shared")
    async with with_one_item(f"sqlite+aiosqlite:///{directory}/itemledger.db") as running:
        yield running


class RequestLogs(NamedTuple):
    """The lines that requests have written to the log."""

    log: CapturingLogger
    #: Those that are written at any level.
    audit: CapturingLogger


@pytest.fixture
def request_logs(monkeypatch: pytest.MonkeyPatch) -> RequestLogs:
    """Capture the log of requests. structlog's `capture_logs` does not reach cached loggers, which the service has."""
    captured = RequestLogs(CapturingLogger(), CapturingLogger())

    def log_request(line: RequestLine, *, at_any_level: bool, audited: bool = False) -> None:
        fields = {name: value for name, value in asdict(line).items() if value is not UNSET}
        method = getattr(captured.audit if at_any_level else captured.log, fields.pop("level"))
        del fields["timestamp"]
        method(fields.pop("event"), **fields)

    monkeypatch.setattr(exchange, "log", captured.log)
    monkeypatch.setattr(exchange, "log_request", log_request)
    return captured
