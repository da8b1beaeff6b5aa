"""A database that does not answer: the driver's timeout is not an SQLAlchemy error."""

from typing import Any

import pytest
from sqlalchemy import text

from eventstore.database.database import Database
from eventstore.errors import UnavailableError


@pytest.mark.parametrize("error", [TimeoutError, ConnectionResetError])
async def test_a_read_without_an_answer_is_unavailable(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    async def silent(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(database, "_read", silent)
    with pytest.raises(UnavailableError):
        await database.read(text("SELECT 1"))
