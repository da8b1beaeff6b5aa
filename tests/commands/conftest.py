"""The writer runs under the service's role."""

from collections.abc import AsyncIterator

import pytest

from eventstore.database.database import Database
from tests.eventstore.recording import opened
from tests.support.postgres import as_service
from tests.support.service import migrate


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Return a database of either kind with the schema at head; on PostgreSQL under the service's role."""
    await migrate(database_url)
    async with opened(as_service(database_url)) as database:
        yield database
