"""Reading the log for a replay."""

import random

import pytest
from sqlalchemy import Connection, text

from eventstore.database.database import Database
from eventstore.errors import CorruptEventError, MissingEventsError, UnknownEventTypeError
from eventstore.events import ItemEvent
from eventstore.log import replay_reader
from eventstore.log.replay_reader import ItemVersion
from tests.eventstore.recording import changed, created, history, record
from tests.support.rebuilding import UNKNOWN_EVENT
from tests.support.tables import unprotected

#: An item's id, and how many events it has.
LENGTHS = {1: 4, 2: 1, 3: 3, 4: 9}


async def shuffled_log(database: Database) -> list[ItemEvent]:
    """Record interleaved events of some items, and return them in position order."""
    left = [item for item, length in LENGTHS.items() for _ in range(length - 1)]
    random.Random(7).shuffle(left)
    versions = dict.fromkeys(LENGTHS, 1)
    events = [created(item) for item in LENGTHS]
    for item in left:
        versions[item] += 1
        events.append(changed(item, versions[item]))
    await record(database, events)
    return [
        ItemEvent(one.position, one.item_id, one.version, one.recorded_at, one.event) for one in await history(database)
    ]


def plain(found: list[ItemEvent]) -> list[ItemEvent]:
    return [ItemEvent(one.position, one.item_id, one.version, one.recorded_at, one.event) for one in found]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_item_by_item_every_event_is_read_once_in_the_order_of_versions(database: Database, size: int) -> None:
    log = await shuffled_log(database)
    read, place = list[ItemEvent](), ItemVersion()

    def read_next(connection: Connection) -> list[ItemEvent]:
        return replay_reader.by_item(connection, place, len(log), size)

    while found := await database.read_transaction(read_next):
        read += found
        place = ItemVersion(found[-1].item_id, found[-1].version)
    assert plain(read) == sorted(log, key=lambda fact: (fact.item_id, fact.version))


async def test_item_by_item_later_events_are_left_out(database: Database) -> None:
    log = await shuffled_log(database)
    read = await database.read_transaction(lambda connection: replay_reader.by_item(connection, ItemVersion(), 10, 100))
    assert sorted(fact.position for fact in read) == [fact.position for fact in log[:10]]


async def test_in_the_order_of_positions_every_event_is_read_once(database: Database) -> None:
    log = await shuffled_log(database)
    assert plain(await database.read_transaction(lambda connection: replay_reader.behind(connection, 0, 100))) == log
    assert plain(await database.read_transaction(lambda connection: replay_reader.behind(connection, 3, 2))) == log[3:5]
    assert await database.read_transaction(lambda connection: replay_reader.behind(connection, len(log), 2)) == []


async def test_a_gap_in_the_log_raises(database: Database) -> None:
    await shuffled_log(database)
    await unprotected(database, "DELETE FROM events WHERE position = 6")
    with pytest.raises(MissingEventsError, match="1 events are missing after position 4, up to position 8"):
        await database.read_transaction(lambda connection: replay_reader.behind(connection, 4, 3))


async def test_the_first_unreadable_event_is_named(database: Database) -> None:
    await shuffled_log(database)
    await unprotected(database, "UPDATE events SET data = '{}],[' WHERE position = 6")
    with pytest.raises(CorruptEventError, match="Event 6"):
        await database.read_transaction(lambda connection: replay_reader.behind(connection, 0, 100))
    await unprotected(database, "DELETE FROM events WHERE position >= 6", UNKNOWN_EVENT)
    with pytest.raises(UnknownEventTypeError, match=r"Event 6 has the type 'item.painted.v1'"):
        await database.read_transaction(lambda connection: replay_reader.behind(connection, 0, 100))


async def test_data_that_contains_another_event_is_refused(database: Database) -> None:
    log = await shuffled_log(database)
    forged = """'{}],["item.deleted.v1",7,1,99,1,{}'"""
    await unprotected(
        database, f"UPDATE events SET type = 'item.deleted.v1', data = {forged} WHERE position = {len(log)}"
    )
    with pytest.raises(CorruptEventError, match=f"Event {len(log)}"):
        await database.read_transaction(lambda connection: replay_reader.behind(connection, 0, 100))
    assert (await database.read(text("SELECT count(*) FROM events")))[0][0] == len(log)
