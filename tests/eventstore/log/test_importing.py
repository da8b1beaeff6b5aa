"""Importing events of another log: unchanged, or not at all."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from eventstore.database.database import Database
from eventstore.errors import CorruptEventError, NotEmptyError, TamperedError, UnknownEventTypeError
from eventstore.log import history
from eventstore.log.history import Filter, StoredEvent
from eventstore.log.importing import Import
from eventstore.log.unit_of_work import unit_of_work
from eventstore.merkle.tree_head import TreeHead
from tests.eventstore.recording import changed, created, live, opened, record, tables
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import migrate
from tests.support.stored import hashed

#: Changes of an event whose hash is recomputed, and the error of each.
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"position": 4}, "Position 3: expected position 3, found 4."),
    ({"recorded_at": 0}, "Position 3: its time is before the previous event's time."),
    ({"version": 3}, "Position 3: expected version 2 of item 1, found 3."),
    ({"item_id": 9}, "Position 3: it belongs to item 9, but the log has no creation event for that item."),
    ({"type": "item.painted.v1"}, "Event 3 has the type 'item.painted.v1', which"),
    ({"data": "{"}, "Position 3: its data is not that of an event of type 'item.changed.v1'"),
    ({"ordinal": 2**31}, "Position 3: its ordinal is out of range."),
    ({"fingerprint": b"short"}, "Position 3: its fingerprint is not a SHA-256 hash."),
    ({"command_id": "1.1"}, "Position 3: its command and ordinal repeat those of position 1."),
]


@pytest.fixture
async def events(tmp_path_factory: pytest.TempPathFactory) -> list[StoredEvent]:
    """Return four events of two items from another log."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('other')}/itemledger.db"
    await migrate(url)
    async with opened(url) as other:
        await record(other, [created(1), created(2), changed(1, 2), changed(2, 2)])
        return await read_all(other)


async def read_all(database: Database) -> list[StoredEvent]:
    return await database.read_transaction(lambda connection: list(history.read(connection, Filter(), 1_000)))


async def take_over(database: Database, *pages: Sequence[StoredEvent]) -> TreeHead:
    def work(connection: Connection) -> TreeHead:
        with unit_of_work(connection, live()) as unit:
            taking = Import(unit)
            for page in pages:
                taking.add(page)
            return taking.finish()

    return await database.write(work)


async def test_events_are_imported_unchanged_and_projected(database: Database, events: list[StoredEvent]) -> None:
    await take_over(database, events[:1], events[1:3], events[3:])
    assert await read_all(database) == events
    await assert_log_and_projection_agree(database)
    await record(database, [changed(1, 3)])  # the log continues from there
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("in_a_page_of_its_own", [False, True])
async def test_an_invalid_event_is_refused_though_its_hash_is_right(
    database: Database, events: list[StoredEvent], in_a_page_of_its_own: bool
) -> None:
    before = await tables(database)
    for changes, message in REFUSALS:
        wrong = hashed(msgspec.structs.replace(events[2], **changes))
        pages = [[*events[:2]], [wrong]] if in_a_page_of_its_own else [[*events[:2], wrong, events[3]]]
        with pytest.raises((TamperedError, UnknownEventTypeError, CorruptEventError)) as raised:
            await take_over(database, *pages)
        assert str(raised.value).startswith(message)
        assert await tables(database) == before, changes


async def test_an_event_that_does_not_match_its_hash_is_refused(database: Database, events: list[StoredEvent]) -> None:
    before = await tables(database)
    with pytest.raises(TamperedError, match="Position 4: its content does not match its stored hash"):
        await take_over(database, [*events[:3], msgspec.structs.replace(events[3], actor="ann")])
    assert await tables(database) == before


async def test_an_import_into_a_log_with_events_is_refused(database: Database, events: list[StoredEvent]) -> None:
    await record(database, [created(1)])
    with pytest.raises(NotEmptyError, match="the log already contains 1 events"):
        await take_over(database, events)
