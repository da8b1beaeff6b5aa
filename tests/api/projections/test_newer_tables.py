"""Older code beside a table of newer code: it refuses writes, in one transaction a batch, and logs that once."""

import asyncio
import sqlite3
from typing import Any

import pytest
from sqlalchemy import Connection

from eventstore.database.sqlite.database import SqliteDatabase
from projections.live import LiveProjections
from tests.eventstore.recording import execute
from tests.support.clients.http import check_problem
from tests.support.service import InProcess

PEN = {"name": "Pen", "price": 1}
_CHANGED = "UPDATE log_head SET tables_revision = tables_revision + 1"


async def change(service: InProcess, *statements: str) -> None:
    """Change the tables of projections as a rebuild by other code does."""
    async with service.owner() as owner:
        await execute(owner, *statements, _CHANGED)


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "itemledger.writer"]


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """How often the process looked at the tables again."""
    refresh, seen = LiveProjections.refresh, list[None]()

    def counted(self: LiveProjections, connection: Connection) -> None:
        seen.append(None)
        refresh(self, connection)

    monkeypatch.setattr(LiveProjections, "refresh", counted)
    return seen


@pytest.mark.parametrize(
    ("newer", "older", "shown"),
    [
        (
            "UPDATE projections SET version = 99 WHERE name = 'items'",
            "UPDATE projections SET version = 2 WHERE name = 'items'",
            "items is at version 99, this version of the service has 2: a newer one has taken over",
        ),
        (
            "INSERT INTO projections (name, version) VALUES ('edits', 1)",
            "DELETE FROM projections WHERE name = 'edits'",
            "This version of the service does not have edits: a newer one has taken over",
        ),
    ],
    ids=["newer", "unknown"],
)
async def test_writes_are_refused_at_once_and_logged_once_until_the_table_is_gone(
    service: InProcess, caplog: pytest.LogCaptureFixture, refreshed: list[None], newer: str, older: str, shown: str
) -> None:
    caplog.set_level("INFO")
    assert (await service.client.post("/items", json=PEN)).status_code == 201
    await change(service, newer)
    refreshed.clear()
    detail = ""
    for _ in range(3):
        for answer in await asyncio.gather(*(service.client.post("/items", json=PEN) for _ in range(32))):
            detail = check_problem(answer, 503, "not-ready")["detail"]
            assert detail.startswith("A table belongs to newer code than this process runs: ")
        check_problem(await service.client.delete("/items/99"), 404, "item-not-found")
        assert (await service.client.get("/items/1")).status_code == 200
    assert len(refreshed) == 1, "later batches know it"
    assert [line.partition(" (")[0] for line in lines_of(caplog)] == [f"writes fail: {detail}"]
    detail = check_problem(await service.client.get("/readyz"), 503, "not-ready")["detail"]
    assert shown in detail or "Writes fail: A table belongs to newer code" in detail

    await change(service, older)
    assert (await service.client.post("/items", json=PEN)).status_code == 201
    assert (await service.client.get("/readyz")).status_code == 200
    assert lines_of(caplog)[1:] == ["writes succeed again"]


async def test_readyz_names_a_newer_table_before_any_write(service: InProcess) -> None:
    await change(service, "INSERT INTO projections (name, version) VALUES ('edits', 1)")
    detail = check_problem(await service.client.get("/readyz"), 503, "not-ready")["detail"]
    assert detail == "This version of the service does not have edits: a newer one has taken over"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_refused_batch_takes_the_write_lock_once(service: InProcess) -> None:
    assert (await service.client.post("/items", json=PEN)).status_code == 201
    await change(service, "UPDATE projections SET version = 99 WHERE name = 'items'")
    check_problem(await service.client.post("/items", json=PEN), 503, "not-ready")
    database: Any = service.services.database
    assert isinstance(database, SqliteDatabase)
    statements: list[str] = []

    def trace(connection: Connection) -> None:
        driver: sqlite3.Connection | Any = connection.connection.driver_connection
        driver.set_trace_callback(statements.append)

    await database.write(trace)
    batch = (service.client.post("/items", json=PEN) for _ in range(32))
    assert {answer.status_code for answer in await asyncio.gather(*batch)} == {503}
    assert 0 < statements.count("BEGIN IMMEDIATE") <= 2, "the first of them may be a batch of its own"
    assert not any("INSERT" in statement for statement in statements)
