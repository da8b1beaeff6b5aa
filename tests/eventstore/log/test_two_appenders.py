"""Two connections that append to one log: positions are 1..N in commit order."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.log.unit_of_work import unit_of_work
from tests.eventstore.recording import changed, created, history, live, opened, record_in
from tests.support.fold import assert_log_and_projection_agree


def next_item(name: str) -> Callable[[Connection], int]:
    """Return work that creates an item of one, two or three events at the end of the log, and returns its id."""

    def work(connection: Connection) -> int:
        with unit_of_work(connection, live()) as unit:
            item_id = unit.head.position + 1
            later = [changed(item_id, version) for version in range(2, 2 + item_id % 3)]
            record_in(unit, [created(item_id, name), *later], now=item_id)
        return item_id

    return work


@pytest.mark.parametrize("rounds", [150])
async def test_two_appenders_at_once_leave_no_gap_and_no_duplicate(
    database: Database, database_url: str, rounds: int
) -> None:
    names = [f"{who} {number}" for number in range(rounds) for who in ("one", "other")]
    async with opened(database_url) as other:
        appending = [(other if name.startswith("other") else database).write(next_item(name)) for name in names]
        answers = await asyncio.gather(*appending, return_exceptions=True)  # all end before either database closes
    ids = [answer for answer in answers if isinstance(answer, int)]
    assert len(ids) == len(names), [answer for answer in answers if not isinstance(answer, int)][:3]
    recorded = await history(database)
    assert [event.position for event in recorded] == list(range(1, len(recorded) + 1))
    assert sorted(ids) == [event.position for event in recorded if event.version == 1]
    assert len(set(ids)) == len(names)
    await assert_log_and_projection_agree(database)
