"""The check in the background, in services that run: what they log, and what every one of them shows."""

import asyncio
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest
from structlog.testing import CapturingLogger

from tests.support.checks import assert_stopped_well, log_lines
from tests.support.rebuilding import run_sql, until
from tests.support.service import InProcess, Server, migrate, serving

OFTEN = {"ITEMLEDGER_CHECK_INTERVAL": "0.05"}
SAID = ("a row is not what the log says", "a row is what the log says again")
FAILED = "check of projections failed"
PEN = {"name": "Pen", "price": 1}


def said(output: str) -> list[tuple[str, str, Any]]:
    return [(line["event"], line["level"], line.get("id")) for line in log_lines(output) if line["event"] in SAID]


async def call(server: Server, method: str, path: str, body: object = None) -> Any:
    """Send a request that succeeds, and give what the answer says."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        return (await client.request(method, path, json=body)).raise_for_status().json()


async def shows(server: Server, *item_ids: int) -> bool:
    """Tell whether the service shows that the rows of just these items differ."""
    check = (await call(server, "GET", "/projections/items"))["check"]
    return check is not None and [row["id"] for row in check["drifted"]] == list(item_ids)


async def test_drift_is_shown_by_every_process_and_logged_by_one_and_once(ready_url: str) -> None:
    number = 2 if ready_url.startswith("postgresql") else 1  # an SQLite file has one process
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(ready_url, environment=OFTEN)) for _ in range(number)]
        for _ in range(3):
            await call(servers[0], "POST", "/items", PEN)
        await run_sql(ready_url, "UPDATE items SET price = price + 1 WHERE id = 2")
        for server in servers:
            await until(partial(shows, server, 2))
        check = (await call(servers[-1], "GET", "/projections"))[0]["check"]
        (row,) = check["drifted"]
        assert row["values"] == [{"id": 2, "column": "price", "live": 10001, "rebuilt": 10000}]
        assert not check["more"]
        # A change of the item that names the price makes the row right.
        await call(servers[0], "PATCH", "/items/2", {"price": 7})
        for server in servers:
            await until(partial(shows, server))
        for server in servers:
            server.terminate()
        lines = [line for server in servers for line in said(server.output())]
    assert lines == [(SAID[0], "error", 2), (SAID[1], "info", 2)]


async def test_when_the_process_that_checks_is_gone_another_goes_on(postgres_url: str) -> None:
    await migrate(postgres_url)
    with serving(postgres_url, environment=OFTEN) as one, serving(postgres_url, environment=OFTEN) as other:
        await until(partial(shows, other))
        one.kill()
        await call(other, "POST", "/items", PEN)
        await run_sql(postgres_url, "DELETE FROM items")
        await until(partial(shows, other, 1))


async def test_without_an_interval_nothing_is_checked(ready_url: str) -> None:
    with serving(ready_url, environment={"ITEMLEDGER_CHECK_INTERVAL": "0"}) as server:
        for projection in await call(server, "GET", "/projections"):
            assert projection["check"] is None
        server.terminate()
        assert_stopped_well(server)


async def test_what_the_check_meets_does_not_stop_it_and_is_said_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr("api.projections.checking.log", log)

    def events(method: str) -> list[Any]:
        return [call.args[0] for call in log.calls if call.method_name == method]

    async def is_said(method: str, event: str) -> bool:
        return event in events(method)

    async with InProcess.over(database_url, check_interval=0.02) as service:
        await service.client.post("/items", json=PEN)
        await run_sql(database_url, "ALTER TABLE activity RENAME TO elsewhere")
        await until(partial(is_said, "exception", FAILED))
        await asyncio.sleep(0.3)  # for some steps more
        await run_sql(database_url, "ALTER TABLE elsewhere RENAME TO activity", "DELETE FROM items")
        await until(partial(is_said, "error", SAID[0]))
    assert events("exception") == [FAILED]
