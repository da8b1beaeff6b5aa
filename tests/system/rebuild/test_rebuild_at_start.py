"""A table of another version than the code's: what a start does about it, and what readiness says."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from tests.eventstore.recording import opened
from tests.support.checks import assert_whole
from tests.support.rebuilding import EVENTS, SLOWLY, fill, known_of, rebuild, rebuilding, run_sql, under_way, until
from tests.support.service import Server

#: Leaves a table as version 1 had it.
OUTDATED = ("ALTER TABLE items DROP COLUMN name_folded", "UPDATE projections SET version = 1 WHERE name = 'items'")
NEWER = "UPDATE projections SET version = 3 WHERE name = 'items'"


@pytest.fixture
async def filled_url(ready_url: str) -> str:
    """A database whose log has something to replay."""
    async with opened(ready_url) as database:
        await fill(database)
    return ready_url


@asynccontextmanager
async def started(url: str) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    """Run `itemledger serve`, be it ready or not, until it answers; and a client of it."""
    server = Server(url)

    async def answers() -> bool:
        assert server.process.poll() is None, server.output()
        with suppress(httpx.TransportError):
            return (await client.get("/livez")).is_success
        return False

    try:
        async with httpx.AsyncClient(base_url=server.url) as client:
            await until(answers)
            yield server, client
    finally:
        server.close()


async def why_not_ready(client: httpx.AsyncClient) -> str:
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    return str(answer.json()["detail"])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_sqlite_an_outdated_table_is_rebuilt_at_the_start(filled_url: str) -> None:
    await run_sql(filled_url, *OUTDATED)
    async with started(filled_url) as (server, client):
        server.wait_until_ready()
        found = (await client.get("/projections/items")).json()
        assert (found["table_version"], found["state"], found["rebuild"]["state"]) == (2, "live", "succeeded")
        assert (found["last_report"]["columns_added"], found["last_report"]["rows_differ"]) == (["name_folded"], 0)
        assert (await client.get("/items?name=PEN&limit=1")).json()[0]["id"] == 1
        assert (await client.post("/items", json={"name": "Ink", "price": 1})).status_code == 201
    await assert_whole(filled_url)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_sqlite_a_table_that_is_not_there_is_built_at_the_start(filled_url: str) -> None:
    await run_sql(filled_url, "DROP TABLE activity", "DELETE FROM projections WHERE name = 'activity'")
    async with started(filled_url) as (server, client):
        server.wait_until_ready()
        assert (await client.get("/readyz")).json()["projections"] == dict.fromkeys(
            ("items", "activity", "item_versions"), EVENTS
        )
    await assert_whole(filled_url)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_sqlite_a_start_goes_on_with_a_rebuild_that_was_interrupted(filled_url: str) -> None:
    await run_sql(filled_url, *OUTDATED)
    with rebuilding(filled_url, *SLOWLY) as process:
        await under_way(filled_url)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
    left = await known_of(filled_url)
    assert left is not None
    assert left.state == "interrupted"
    async with started(filled_url) as (server, _client):
        server.wait_until_ready()
    done = await known_of(filled_url)
    assert done is not None
    assert done.report is not None
    assert done.report.events == EVENTS - left.cursor.position
    await assert_whole(filled_url)


async def test_an_outdated_table_serves_until_it_is_replaced_and_readiness_says_what_happens(filled_url: str) -> None:
    await run_sql(filled_url, *OUTDATED)
    # With a rebuild by another process the start leaves it at that, on SQLite too.
    with rebuilding(filled_url, "--throttle", "100"):
        await under_way(filled_url)
        async with started(filled_url) as (_server, client):
            fault = "items is at version 1, this version of the service has 2"
            assert await why_not_ready(client) == f"{fault}: it is being rebuilt"
            assert (await client.get("/items/7")).json()["price"] == 2
            assert (await client.patch("/items/7", json={"price": 3})).status_code == 200
            assert (await client.get("/items/7")).json()["price"] == 3


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_on_postgresql_readiness_names_the_command_that_helps(filled_url: str) -> None:
    await run_sql(filled_url, *OUTDATED)
    async with started(filled_url) as (_server, client):
        fault = "items is at version 1, this version of the service has 2"
        assert await why_not_ready(client) == f"{fault}: run `itemledger rebuild items`"
        assert (await client.get("/items/7")).json()["price"] == 2
        assert rebuild(filled_url).returncode == 0
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/items?name=PEN&limit=1")).json()[0]["id"] == 1
    await assert_whole(filled_url)


async def test_a_table_of_a_newer_version_is_left_alone(filled_url: str) -> None:
    await run_sql(filled_url, NEWER)
    async with started(filled_url) as (_server, client):
        fault = "items is at version 3, this version of the service has 2"
        assert await why_not_ready(client) == f"{fault}: a newer one has taken over"
        assert (await client.post("/items", json={"name": "Ink", "price": 1})).status_code >= 500
    assert await known_of(filled_url) is None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_stop_in_the_middle_of_a_rebuild_is_soon_over(filled_url: str) -> None:
    async with started(filled_url) as (server, client):
        server.wait_until_ready()
        assert (await client.post("/projections/items/rebuild?throttle=100")).status_code == 202
        await under_way(filled_url)
        server.terminate()
        output = server.output()
        assert server.process.returncode == 0, output
    left = await known_of(filled_url)
    assert left is not None
    assert left.state == "interrupted"
    await assert_whole(filled_url)
