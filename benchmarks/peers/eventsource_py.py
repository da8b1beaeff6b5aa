"""eventsource-py: events are pydantic models; its projections catch up by its stores' `read_all`."""
# The peer is not installed where types are checked.
# mypy: disable-error-code="import-not-found", allow-subclassing-any, allow-untyped-decorators

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count, islice
from typing import Any, Final
from uuid import UUID

from eventsource import (
    DomainEvent,
    ExpectedVersion,
    FeedReadOptions,
    PostgreSQLEventStore,
    SQLiteEventStore,
    register_event,
)
from eventsource.domain import StreamId
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.peers import PAGE
from benchmarks.peers.run import SQLITE, run
from benchmarks.replay.history import ItemEvent, Kind

_UNIT: Final = 1000


@register_event
class ItemCreated(DomainEvent):
    """An item was created."""

    aggregate_type: str = "Item"
    name: str
    price: Decimal
    in_stock: bool


@register_event
class ItemChanged(DomainEvent):
    """Some fields of an item were changed."""

    aggregate_type: str = "Item"
    name: str | None = None
    price: Decimal | None = None
    in_stock: bool | None = None


@register_event
class ItemDeleted(DomainEvent):
    """An item was deleted."""

    aggregate_type: str = "Item"


@register_event
class ItemRestored(DomainEvent):
    """A deleted item was restored."""

    aggregate_type: str = "Item"


_EVENTS: Final[dict[Kind, Any]] = {
    "created": ItemCreated,
    "changed": ItemChanged,
    "deleted": ItemDeleted,
    "restored": ItemRestored,
}


async def _fill(url: str, facts: Iterator[ItemEvent]) -> None:
    # It appends to one stream at a time: a stream per item would take minutes. The feed treats all streams alike.
    async with _open(url) as store:
        for number in count(1):
            stream = StreamId(aggregate_id=UUID(int=number), category="Item")
            unit = [
                _EVENTS[fact.kind](aggregate_id=stream.aggregate_id, aggregate_version=version, **fact.fields)
                for version, fact in enumerate(islice(facts, _UNIT), 1)
            ]
            if not unit:
                return
            await store.append(stream, unit, ExpectedVersion.no_stream())


async def _read(url: str) -> tuple[int, float]:
    async with _open(url) as store:
        events, position, more = 0, None, True
        start = time.perf_counter()
        while more:
            more = False
            async for envelope in store.read_all(position, FeedReadOptions(limit=PAGE)):
                events, position, more = events + 1, envelope.position, True
        return events, time.perf_counter() - start


@asynccontextmanager
async def _open(url: str) -> AsyncIterator[Any]:
    if url.startswith(SQLITE):
        store = SQLiteEventStore(url.removeprefix(SQLITE))
    else:
        store = PostgreSQLEventStore(create_async_engine(url), create_schema=True, owns_engine=True)
    await store.current_position()  # connects, and creates missing tables
    try:
        yield store
    finally:
        await store.close()


if __name__ == "__main__":
    run(lambda url, facts: asyncio.run(_fill(url, facts)), lambda url: asyncio.run(_read(url)))
