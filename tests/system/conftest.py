"""Fixtures of the system tests."""

import pytest

from tests.support.service import migrate


@pytest.fixture
async def ready_url(database_url: str) -> str:
    """A database of either kind with the schema at head, which this process does not hold open.

    Else the test would keep SQLite's write-ahead log alive over the end of the server that wrote it.
    """
    await migrate(database_url)
    return database_url
