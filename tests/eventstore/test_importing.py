"""Events of another log: taken over as they are, or not at all."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from eventstore import history, merkle
from eventstore.database import Database
from eventstore.errors import RefusedEventError
from eventstore.history import Filter, StoredEvent, leaf
from eventstore.unit_of_work import unit_of_work
from tests.eventstore.recording import LIVE, changed, created, opened, record, tables
from tests.support.fold import assert_log_and_projection_agree
from tests.support.service import migrate

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"position": 4}, "Event 4 is refused: position 3 is due."),
    ({"recorded_at": 0}, "Event 3 is refused: it was recorded before the event before it."),
    ({"version": 3}, "Event 3 is refused: version 2 of item 1 is due."),
    ({"item_id": 9}, "Event 3 is refused: version 1 of item 9 is due."),
    ({"item_id": 9, "version": 1}, "Event 3 is refused: an item's id is the position of its first event."),
    ({"type": "item.painted.v1"}, "Event 3 is refused: Event 3 has the type 'item.painted.v1', which"),
    ({"data": "{"}, "Event 3 is refused: Event 3 of type 'item.changed.v1' does not decode"),
    ({"ordinal": 2**31}, "Event 3 is refused: its ordinal is too large."),
    ({"fingerprint": b"short"}, "Event 3 is refused: its fingerprint is no SHA-256."),
    ({"command_id": "1.1"}, "Event 3 is refused: its command and ordinal are those of event 1."),
]
#: What the leaf hash tells, if nothing else does.
TAMPERED: list[dict[str, Any]] = [
    {"data": '{"price":"3"}'},
    {"data": '{ "price":"2"}'},
    {"actor": "ann"},
    {"command_id": "other"},
    {"ordinal": 1},
    {"correlation_id": "trace"},
    {"causation_id": "cause"},
    {"recorded_at": 2},
    {"leaf_hash": bytes(32)},
]


@pytest.fixture
async def events(tmp_path_factory: pytest.TempPathFactory) -> list[StoredEvent]:
    """Four events of two items, as another log has them."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('other')}/itemledger.db"
    await migrate(url)
    async with opened(url) as other:
        await record(other, [created(1), created(2), changed(1, 2), changed(2, 2)])
        return await read_all(other)


async def read_all(database: Database) -> list[StoredEvent]:
    return await database.view(lambda connection: list(history.read(connection, Filter(), 1_000)))


async def take_over(database: Database, *pages: Sequence[StoredEvent]) -> None:
    def work(connection: Connection) -> None:
        with unit_of_work(connection, [LIVE]) as unit:
            for page in pages:
                unit.take_over(page)

    await database.write(work)


def with_hash(event: StoredEvent) -> StoredEvent:
    return msgspec.structs.replace(event, leaf_hash=merkle.leaf_hash(leaf(event)))


async def test_events_are_taken_over_as_they_are_and_projected(database: Database, events: list[StoredEvent]) -> None:
    await take_over(database, events[:1], events[1:3], events[3:])
    assert await read_all(database) == events
    await assert_log_and_projection_agree(database)
    await record(database, [changed(1, 3)])  # it goes on from there
    await assert_log_and_projection_agree(database)


@pytest.mark.parametrize("in_a_page_of_its_own", [False, True])
async def test_an_event_that_does_not_belong_there_is_refused_whatever_its_hash(
    database: Database, events: list[StoredEvent], in_a_page_of_its_own: bool
) -> None:
    before = await tables(database)
    for changes, message in REFUSALS:
        wrong = with_hash(msgspec.structs.replace(events[2], **changes))
        pages = [[*events[:2]], [wrong]] if in_a_page_of_its_own else [[*events[:2], wrong, events[3]]]
        with pytest.raises(RefusedEventError) as raised:
            await take_over(database, *pages)
        assert str(raised.value).startswith(message)
        assert await tables(database) == before, changes


async def test_an_event_that_is_not_what_its_hash_says_is_refused(
    database: Database, events: list[StoredEvent]
) -> None:
    before = await tables(database)
    for changes in TAMPERED:
        wrong = msgspec.structs.replace(events[3], **changes)
        with pytest.raises(RefusedEventError, match=r"Event 4 is refused: its leaf hash is not that of what it says\."):
            await take_over(database, [*events[:3], wrong])
        assert await tables(database) == before, changes
