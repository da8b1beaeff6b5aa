"""Requests that tests of the doors make again and again, and a look at what they left in the log."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx

from eventstore.database.database import Database
from eventstore.events import RecordedEvent
from tests.support.clients.http import log_state
from tests.support.recorded import read_all
from tests.support.service import InProcess

MERGE_PATCH = {"content-type": "application/merge-patch+json"}


def named(headers: dict[str, str]) -> dict[str, str]:
    """Return headers by their names, which keyword arguments can't have: with underscores for hyphens."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def create(service: InProcess, name: str = "Pen", price: object = 1, in_stock: bool = True) -> str:
    """Create an item and give its path."""
    answer = await service.client.post("/items", json={"name": name, "price": price, "in_stock": in_stock})
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def create_all(service: InProcess, items: list[dict[str, Any]]) -> list[int]:
    """Create items in one batch and give their ids."""
    answer = await service.client.post("/items/batch", json=items)
    assert answer.status_code == 201, answer.text
    return [item["id"] for item in answer.json()]


async def patch(service: InProcess, path: str, body: object, **headers: str) -> httpx.Response:
    """Send a merge patch: `body` as JSON, or bytes as they are; headers by their names with underscores."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await service.client.patch(path, content=content, headers=MERGE_PATCH | named(headers))


async def remove(service: InProcess, path: str) -> None:
    """Delete an item."""
    assert (await service.client.delete(path)).status_code == 204


async def restore(service: InProcess, path: str, **headers: str) -> httpx.Response:
    """Ask for an item to be restored; headers by their names with underscores."""
    return await service.client.post(f"{path}/restore", headers=named(headers))


def exact(answer: httpx.Response) -> Any:
    """Return a JSON body with its numbers to the last digit."""
    return json.loads(answer.content, parse_float=Decimal)


async def position_of(database: Database) -> int:
    """Return the position of the log's head."""
    head: Any = (await log_state(database))[1]
    return int(head)


@asynccontextmanager
async def appended(database: Database) -> AsyncIterator[list[RecordedEvent]]:
    """Collect the events that are appended inside, once it is left."""
    events: list[RecordedEvent] = []
    before = await position_of(database)
    yield events

    def work(connection: Any) -> list[RecordedEvent]:
        with connection.begin():
            return read_all(connection, after=before)

    events += await database.write(work)
