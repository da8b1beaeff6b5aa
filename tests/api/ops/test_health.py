"""`/livez` checks that the process runs; `/readyz` checks that it can work, and says why if it cannot."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, delete, event, text

import migrations
from commands.writer import Writer
from eventstore.database.postgresql.database import PostgresDatabase
from eventstore.database.sqlite.database import SqliteDatabase
from eventstore.errors import UnavailableError
from projections.projection import projections_table
from tests.support.clients.http import check_problem
from tests.support.service import InProcess


async def execute(service: InProcess, statement: Any) -> None:
    """Change the database without the service."""

    def work(connection: Any) -> None:
        with connection.begin():
            connection.execute(statement)

    async with service.owner() as owner:
        await owner.write(work)


async def why_not_ready(service: InProcess) -> str:
    problem = check_problem(response := await service.client.get("/readyz"), 503, "not-ready")
    assert response.headers["retry-after"]
    detail: str = problem["detail"]
    return detail


def disconnect(monkeypatch: pytest.MonkeyPatch, service: InProcess) -> None:
    async def fail(*_: object) -> None:
        raise UnavailableError

    for method in ("read", "look_up", "write"):
        monkeypatch.setattr(service.services.database, method, fail)


async def test_a_working_service_is_ready(service: InProcess) -> None:
    await service.client.post("/items", json={"name": "Pen", "price": 1})
    await service.client.delete("/items/1")
    assert (await service.client.get("/readyz")).json() == {
        "log_position": 2,
        "projections": {"items": 2, "activity": 2, "item_versions": 2},
        "schema_revision": migrations.head(),
        "request_log": "written",
        "lost_log_lines": 0,
        "status": "ready",
    }


async def test_a_process_is_alive_even_without_its_database(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    disconnect(monkeypatch, service)
    monkeypatch.setattr(type(service.services.writer), "alive", False)
    answer = await service.client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_without_its_database_it_is_not_ready_and_says_why(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    disconnect(monkeypatch, service)
    assert "database" in await why_not_ready(service)
    for path in ("/items", "/items/1"):
        check_problem(await service.client.get(path), 503, "database-unavailable")


@pytest.mark.parametrize(
    "statement",
    [
        text("UPDATE alembic_version SET version_num = '0000'"),
        text("DELETE FROM alembic_version"),  # the result of a downgrade to nothing
        text("DROP TABLE alembic_version"),
    ],
    ids=["older", "empty", "none"],
)
async def test_with_another_schema_it_is_not_ready(service: InProcess, statement: Any) -> None:
    await execute(service, statement)
    assert "schema" in await why_not_ready(service)


async def test_with_a_projection_that_was_never_built_it_is_not_ready(service: InProcess) -> None:
    await execute(service, delete(projections_table).where(projections_table.c.name == "items"))
    assert await why_not_ready(service) == "items is not built: run `itemledger rebuild items`"


async def test_with_a_closed_writer_it_is_not_ready(service: InProcess) -> None:
    writer = service.services.writer
    assert isinstance(writer, Writer)
    await writer.close()
    assert "writer" in await why_not_ready(service)
    assert (await service.client.get("/items")).status_code == 200
    refused = await service.client.post("/items", json={"name": "Pen", "price": 1})
    check_problem(refused, 503, "stopping")
    assert refused.headers["retry-after"]


async def test_while_the_database_is_read_only_it_is_not_ready_and_says_why(
    service: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.writer._PROBE_SECONDS", 5.0)
    writer = service.services.writer
    end = await make_read_only(service)
    refused = check_problem(await post(service), 503, "database-unavailable")
    assert refused["detail"].startswith("The database is read-only. Nothing was committed")
    assert (await service.client.get("/items")).status_code == 200
    for _ in range(2):
        monkeypatch.setattr(writer, "_next_probe", 0.0)
        assert "The database is read-only" in await why_not_ready(service)
    await end()
    # A load balancer sends no more writes, so readiness itself finds out: at most once in _PROBE_SECONDS.
    assert "The database is read-only" in await why_not_ready(service)
    monkeypatch.setattr(writer, "_next_probe", 0.0)
    assert (await service.client.get("/readyz")).json()["log_position"] == 0
    assert (await post(service)).json()["id"] == 1


async def post(service: InProcess) -> httpx.Response:
    return await service.client.post("/items", json={"name": "Pen", "price": 1})


async def make_read_only(service: InProcess) -> Callable[[], Awaitable[None]]:
    """Make new write connections of the service read-only, and close the open one. Return what ends that."""
    database = service.services.database
    if isinstance(database, SqliteDatabase):
        event.listen(database._writer, "connect", limit := lambda new, _: new.execute("PRAGMA query_only=ON").close())
        await database.write(lambda _: database._disconnect())

        async def end() -> None:
            event.remove(database._writer, "connect", limit)

        return end

    async def alter(change: str) -> None:
        await execute(service, text(f"ALTER DATABASE {database.url.database} {change}"))

    await alter("SET default_transaction_read_only = on")
    assert isinstance(database, PostgresDatabase)
    await database._disconnect()

    async def reset() -> None:
        # The owner's own connection is read-only, too.
        async with service.owner() as owner:
            await owner.write(_reset)

    def _reset(connection: Connection) -> None:
        with connection.begin():
            connection.execute(text("SET TRANSACTION READ WRITE"))
            connection.execute(text(f"ALTER DATABASE {database.url.database} RESET default_transaction_read_only"))

    return reset
