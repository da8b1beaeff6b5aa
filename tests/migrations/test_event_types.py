"""The fourth step gives the log, full as it is, the index of its types; the events stay as they are, there and back."""

from typing import Any

from sqlalchemy import Connection, inspect, text

import migrations
from eventstore.database.database import Database
from eventstore.log import log
from eventstore.log.event_type_check import check_types
from tests.eventstore.recording import changed, created, opened
from tests.support.service import InProcess

_EVENTS = text("SELECT * FROM events ORDER BY position")
_INDEX = {"ix_events_type_position": ["type", "position"]}


def fill(connection: Connection) -> None:
    """Fill a log of the revision before, as that version of the service would have."""
    births = [created(position) for position in range(1, 501)]
    changes = [changed(item_id, version) for version in (2, 3) for item_id in range(1, 501)]
    with connection.begin():
        head, _ = log.append(connection, log.lock_head(connection), [*births, *changes], 1)
        connection.execute(text("UPDATE projections SET position = :position"), {"position": head.position})


def indexes(connection: Connection) -> dict[str | None, list[Any]]:
    with connection.begin():
        found = inspect(connection).get_indexes("events")
    return {index["name"]: index["column_names"] for index in found if not index["unique"]}


async def rows(database: Database) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.read(_EVENTS)]


async def test_a_log_that_is_full_gains_the_index_of_its_types_and_loses_it_again(empty_url: str) -> None:
    async with opened(empty_url) as database:
        await database.write(lambda connection: migrations.upgrade(connection, "0003"))
        await database.write(fill)
        before = await rows(database)
        assert len(before) == 1_500
        for _ in range(2):
            assert await database.write(indexes) == {}
            await database.write(lambda connection: migrations.upgrade(connection, "0004"))
            assert await database.write(indexes) == _INDEX
            assert await rows(database) == before
            await check_types(database)
            await database.write(lambda connection: migrations.downgrade(connection, "0003"))
            assert await database.write(migrations.current) == "0003"
            assert await rows(database) == before
    async with InProcess.over(empty_url) as service:  # which brings the schema to head
        answer = await service.client.post("/items", json={"name": "Nib", "price": 1})
        assert (answer.status_code, answer.json()["id"]) == (201, 1_501)
