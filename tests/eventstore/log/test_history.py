"""The stored history, filtered by its columns."""

from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.events import Metadata
from eventstore.log.history import Filter, StoredEvent, read
from tests.eventstore.recording import ProposedEvent, changed, created, record


async def found(database: Database, chosen: Filter, limit: int = 100, *, newest_first: bool = False) -> list[int]:
    def work(connection: Connection) -> list[StoredEvent]:
        return list(read(connection, chosen, limit, newest_first=newest_first))

    return [event.position for event in await database.read_transaction(work)]


async def log_of_six(database: Database) -> None:
    first = created(1)
    by_ann = ProposedEvent(2, 1, first.event, Metadata("a", "ann", "key:a", correlation_id="trace"))
    await record(database, [first, by_ann, changed(1, 2), changed(1, 3), changed(2, 2), created(6, command_id="six")])


async def test_events_are_found_by_each_filter_value(database: Database) -> None:
    await log_of_six(database)
    assert await found(database, Filter()) == [1, 2, 3, 4, 5, 6]
    assert await found(database, Filter(item_id=1)) == [1, 3, 4]
    assert await found(database, Filter(type="item.created.v1")) == [1, 2, 6]
    assert await found(database, Filter(actor="ann")) == [2]
    assert await found(database, Filter(credential="key:a")) == [2]
    assert await found(database, Filter(correlation_id="trace")) == [2]
    assert await found(database, Filter(command_id="six")) == [6]
    assert await found(database, Filter(item_id=1, type="item.created.v1")) == [1]
    assert await found(database, Filter(item_id=9)) == []


async def test_events_are_read_between_positions_in_either_direction(database: Database) -> None:
    await log_of_six(database)
    assert await found(database, Filter(after=2, before=5)) == [3, 4]
    assert await found(database, Filter(after=1), limit=2) == [2, 3]
    assert await found(database, Filter(before=6), limit=2, newest_first=True) == [5, 4]
    assert await found(database, Filter(item_id=1, after=1), newest_first=True) == [4, 3]
