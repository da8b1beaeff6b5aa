"""The scheduled verification in services that run as processes: what they log, and what every one of them shows."""

from collections import Counter
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx

from projections import PROJECTIONS
from projections.verify import SNAPSHOTS
from tests.support.checks import assert_stopped_well, log_lines
from tests.support.rebuilding import run_sql, until
from tests.support.service import Server, migrate, serving

OFTEN = {"ITEMLEDGER_VERIFY_INTERVAL": "1s"}
DETECTED, RESOLVED, VERIFIED = "projection drift detected", "projection drift resolved", "projection verified"
PEN = {"name": "Pen", "price": 1}


async def call(server: Server, method: str, path: str, body: object = None) -> Any:
    """Send a request that succeeds, and return the response's body."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        return (await client.request(method, path, json=body)).raise_for_status().json()


async def shows(server: Server, *item_ids: int) -> bool:
    """Return whether the service shows that the rows of exactly these items differ."""
    verification = (await call(server, "GET", "/projections/items"))["verification"]
    return verification is not None and [sample["id"] for sample in verification["samples"]] == list(item_ids)


async def test_every_process_shows_drift_and_the_log_has_it_until_it_is_resolved(ready_url: str) -> None:
    number = 2 if ready_url.startswith("postgresql") else 1  # an SQLite file has one process
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(ready_url, environment=OFTEN)) for _ in range(number)]
        for _ in range(3):
            await call(servers[0], "POST", "/items", PEN)
        await run_sql(ready_url, "UPDATE items SET price = price + 1 WHERE id = 2")
        for server in servers:
            await until(partial(shows, server, 2))
        verification = (await call(servers[-1], "GET", "/projections"))[0]["verification"]
        assert verification["samples"] == [{"id": 2, "column": "price", "live": 10001, "rebuilt": 10000}]
        assert (verification["rows_compared"], verification["rows_differ"]) == (3, 1)
        # A change of the item that names the price corrects the row.
        await call(servers[0], "PATCH", "/items/2", {"price": 7})
        for server in servers:
            await until(partial(shows, server))
        for server in servers:
            server.terminate()
        lines = [line for server in servers for line in log_lines(server.output()) if line.get("projection") == "items"]
    counts = Counter((line["event"], line["level"]) for line in lines)
    assert counts.keys() <= {(DETECTED, "error"), (RESOLVED, "info"), (VERIFIED, "info")}
    assert counts[DETECTED, "error"] >= 1
    assert counts[RESOLVED, "info"] == 1


async def test_when_the_process_that_verifies_is_killed_another_continues(postgres_url: str) -> None:
    await migrate(postgres_url)
    with serving(postgres_url, environment=OFTEN) as one, serving(postgres_url, environment=OFTEN) as other:
        await until(partial(shows, other))
        one.kill()
        await call(other, "POST", "/items", PEN)
        await run_sql(postgres_url, "DELETE FROM items")
        await until(partial(shows, other, 1))


async def test_a_restarted_service_does_not_repeat_a_round_that_is_not_due(ready_url: str) -> None:
    with serving(ready_url, environment=OFTEN) as server:
        await until(partial(is_verified, server))
        server.terminate()
        assert_stopped_well(server)
        finished = [line["projection"] for line in log_lines(server.output()) if line["event"] == VERIFIED]
        assert finished[:4] == [*(projection.name for projection in PROJECTIONS), SNAPSHOTS]
    with serving(ready_url) as server:
        before = await call(server, "GET", "/projections")
        assert all(projection["verification"] for projection in before)
        server.terminate()
        assert_stopped_well(server)
        assert [line for line in log_lines(server.output()) if line["event"] == VERIFIED] == []


async def is_verified(server: Server) -> bool:
    return (await call(server, "GET", "/projections/items"))["snapshots"] is not None


async def test_off_verifies_nothing(ready_url: str) -> None:
    with serving(ready_url, environment={"ITEMLEDGER_VERIFY_INTERVAL": "off"}) as server:
        for projection in await call(server, "GET", "/projections"):
            assert projection["verification"] is None
        server.terminate()
        assert_stopped_well(server)
