"""Binary search in SQL for the position at a time."""

import random

from sqlalchemy import Connection, bindparam, select

from eventstore.database.database import Database
from eventstore.log.head import END
from eventstore.log.history import position_at
from eventstore.log.tables import BigInt
from tests.eventstore.recording import created, record

_AT = select(position_at(bindparam("time", type_=BigInt)))


async def at(database: Database, times: list[int]) -> list[int]:
    def look_up(connection: Connection) -> list[int]:
        return [connection.execute(_AT, {"time": time}).scalar_one() for time in times]

    return await database.read_transaction(look_up)


async def test_an_empty_log_has_position_0_at_any_time(database: Database) -> None:
    assert await at(database, [-(2**63), 0, END]) == [0, 0, 0]


async def test_position_at_finds_the_last_event_recorded_by_a_time(database: Database) -> None:
    chance = random.Random(5)
    recorded: list[int] = []
    for _ in range(40):
        # Some events share a time; some transactions run after the clock went back.
        events = [created(len(recorded) + n) for n in range(1, chance.randrange(2, 5))]
        recorded += [event.recorded_at for event in await record(database, events, now=chance.randrange(100, 160))]
    assert recorded == sorted(recorded)
    times = [-(2**63), -1, *range(98, 162), END]
    assert await at(database, times) == [sum(earlier <= time for earlier in recorded) for time in times]
