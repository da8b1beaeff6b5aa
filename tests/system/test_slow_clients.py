"""Slow clients: each kind is disconnected, and other clients are served. `make slow-clients` measures it."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.clients.http import converse
from tests.support.clients.load import Client, LostError
from tests.support.clients.slow import KINDS, hold
from tests.support.service import Listening, migrate, serving

#: Of each kind so many.
SOCKETS = 5
#: The times that a client is allowed, in seconds; after PATIENCE nothing may be held, on however slow a machine.
ALLOWED = "1"
PATIENCE = 300
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


def test_whoever_holds_on_to_a_connection_loses_it_and_the_others_are_served(sqlite_url: str) -> None:
    asyncio.run(migrate(sqlite_url))
    allowed = dict.fromkeys(("HEAD", "BODY", "ANSWER"), ALLOWED)
    environment = {f"ITEMLEDGER_{what}_TIMEOUT": seconds for what, seconds in allowed.items()}
    with serving(sqlite_url, environment=environment) as server, ThreadPoolExecutor() as threads:
        holding = threads.submit(hold, server.port, [*KINDS] * SOCKETS, PATIENCE, drop_every=0.2)
        served = 0
        with httpx.Client(base_url=server.url) as client:
            while not holding.done():
                assert client.post("/items", json={"name": "Pen", "price": 1}).status_code == 201
                served += 1
            ended = holding.result()
            assert {one.kind for one in ended if one.seconds is None} == set()
            assert len(ended) == len(KINDS) * SOCKETS
            # Nothing of what they sent has been carried out.
            assert client.get("/readyz").json()["log_position"] == served
        server.terminate()
        lines = [json.loads(line) for line in server.output().splitlines()]
    assert {line["level"] for line in lines} <= {"info", "warning"}


def test_a_client_that_takes_its_time_between_requests_is_served(sqlite_url: str) -> None:
    asyncio.run(migrate(sqlite_url))
    with serving(sqlite_url, environment={"ITEMLEDGER_HEAD_TIMEOUT": "2.5"}) as server:

        async def slowly() -> list[int]:
            async with Client.connected(server.port) as client:
                statuses: list[int] = []
                for pause in (3, 0):  # more than a head may take, less than a connection may be idle
                    for part in (LIVEZ[:9], LIVEZ[9:], b"\r\n"):
                        await client.send(part)
                        await asyncio.sleep(0.1)
                    statuses.append((await client.receive()).status)
                    await asyncio.sleep(pause)
                return statuses

        assert asyncio.run(slowly()) == [200, 200]


def test_a_head_that_is_too_long_is_refused(sqlite_url: str) -> None:
    asyncio.run(migrate(sqlite_url))
    with serving(sqlite_url, environment={"ITEMLEDGER_MAX_HEAD": "2048"}) as server:
        (answer,) = converse(server.port, LIVEZ + b"X-Long: " + b"x" * 3000)
        assert answer.status_code == 431
        (answer,) = converse(server.port, LIVEZ + b"Connection: close\r\nX-Long: " + b"x" * 500 + b"\r\n\r\n")
        assert answer.status_code == 200


def test_a_process_has_as_many_connections_as_it_may(sqlite_url: str) -> None:
    asyncio.run(migrate(sqlite_url))
    with serving(sqlite_url, environment={"ITEMLEDGER_MAX_CONNECTIONS": "2"}) as server:
        url = f"{server.url}/livez"
        with httpx.Client() as one, httpx.Client() as other, httpx.Client() as third:
            assert [client.get(url).status_code for client in (one, other)] == [200, 200]
            with pytest.raises(httpx.TransportError):
                third.get(url)
            one.close()
            assert other.get(url).status_code == 200


async def test_a_client_has_as_many_connections_as_it_may(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Listening.over(sqlite_url, max_client_connections=2) as running:
        monkeypatch.setattr(running.app, "client_of_connection", lambda _: "one")  # local ones are not counted
        async with Client.connected(running.port) as one, Client.connected(running.port) as other:
            assert [(await client.ask("GET", "/livez")).status for client in (one, other)] == [200, 200]
            async with Client.connected(running.port) as third:
                with pytest.raises((LostError, ConnectionError)):
                    await third.ask("GET", "/livez")
            assert (await other.ask("GET", "/livez")).status == 200
        async with Client.connected(running.port) as next_one:
            assert (await next_one.ask("GET", "/livez")).status == 200
    assert running.app.client_connections == {}
