"""eventsourcing: events are frozen dataclasses; an application's recorder and mapper return them in order."""
# The peer is not installed where types are checked.
# mypy: disable-error-code="import-not-found", allow-subclassing-any

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import AggregateEvent

from benchmarks.peers import PAGE
from benchmarks.peers.run import SQLITE, run
from benchmarks.replay.history import ItemEvent, Kind

_UNIT: Final = 1000


class Created(AggregateEvent):
    """An item was created."""

    name: str
    price: Decimal
    in_stock: bool


class Changed(AggregateEvent):
    """Some fields of an item were changed."""

    name: str | None = None
    price: Decimal | None = None
    in_stock: bool | None = None


class Deleted(AggregateEvent):
    """An item was deleted."""


class Restored(AggregateEvent):
    """A deleted item was restored."""


_EVENTS: Final[dict[Kind, Any]] = {
    "created": Created,
    "changed": Changed,
    "deleted": Deleted,
    "restored": Restored,
}


def fill(url: str, facts: Iterator[ItemEvent]) -> None:
    """Record the facts."""
    application = _open(url)
    while unit := [
        _EVENTS[fact.kind](
            originator_id=UUID(int=fact.item),
            originator_version=fact.version,
            timestamp=datetime.now(UTC),
            **fact.fields,
        )
        for fact in islice(facts, _UNIT)
    ]:
        application.events.put(unit)
    application.close()


def read(url: str) -> tuple[int, float]:
    """Read and decode all events. Return their number and the seconds it took."""
    application = _open(url)
    select, decode = application.recorder.select_notifications, application.mapper.to_domain_event
    start = time.perf_counter()
    events, last = 0, 0
    while page := select(last, PAGE, inclusive_of_start=False):
        for notification in page:
            decode(notification)
        events, last = events + len(page), page[-1].id
    seconds = time.perf_counter() - start
    application.close()
    return events, seconds


def _open(url: str) -> Any:
    if url.startswith(SQLITE):
        return Application(
            env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": url.removeprefix(SQLITE)}
        )
    server = urlsplit(url)
    return Application(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": server.path.removeprefix("/"),
            "POSTGRES_HOST": str(server.hostname),
            "POSTGRES_PORT": str(server.port),
            "POSTGRES_USER": str(server.username),
            "POSTGRES_PASSWORD": "",
        }
    )


if __name__ == "__main__":
    run(fill, read)
