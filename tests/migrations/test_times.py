"""The twelfth step lets no more events in whose time can't be written; one that is there stays, and hides no other."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from eventstore.database.database import Database
from tests.eventstore.recording import created, opened, record
from tests.support.service import InProcess, migrate

#: In microseconds since the epoch: in the year 148108.
NEVER = 2**62


async def positions(database: Database) -> list[int]:
    return [row.position for row in await database.read(text("SELECT position FROM events ORDER BY position"))]


async def test_a_log_that_has_such_an_event_is_taken_over_as_it_is(database_url: str) -> None:
    await migrate(database_url)
    await migrate(database_url, down_to="0011")
    async with opened(database_url) as database:
        await record(database, [created(1)])
        await record(database, [created(2), created(3)], now=NEVER)
    await migrate(database_url)
    async with opened(database_url) as database:
        assert await positions(database) == [1, 2, 3]
        with pytest.raises(IntegrityError, match="recorded_at is out of range"):
            await record(database, [created(4)])
    async with InProcess.over(database_url) as service:
        events = (await service.client.get("/events")).json()
        assert [event["recorded_at"] for event in events[1:]] == ["148108-07-06T14:00:27.387904Z"] * 2
        for path in ("/events/export", "/events/export?format=csv", "/events/export?format=cloudevents"):
            answer = await service.client.get(path)
            assert (answer.status_code, answer.text.count("148108-07-06T")) == (200, 2)
        assert (await service.client.get("/audit/items/2")).status_code == 200
        assert (await service.client.get("/activity")).status_code == 200
