"""Event types evolve while the log stays the same: stored events are read by today's code, or not at all."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text

from eventstore.database.database import Database
from eventstore.errors import OldEventTypeError
from eventstore.events import ItemChanged, ItemCreated, ItemDeleted, RecordedEvent
from eventstore.log.event_type_check import check_types
from eventstore.log.snapshots import Snapshot
from eventstore.log.streams import read_streams
from tests.eventstore.recording import Unprojected, created, history, proposed, record
from tests.support.evolved import EVOLVED, ItemCreatedV2, using
from tests.support.fold import leaf_hash_of
from tests.support.recorded import save
from tests.support.service import Server


async def rows(database: Database) -> list[dict[str, Any]]:
    """Read the stored log."""
    found = await database.read(text("SELECT * FROM events ORDER BY position"))
    return [dict(row._mapping) for row in found]


async def stream(database: Database, item_id: int) -> list[RecordedEvent]:
    """Read an item's stream, as a command on it does."""

    def work(connection: Connection) -> list[RecordedEvent]:
        with connection.begin():
            return list(read_streams(connection, [item_id]))

    return await database.write(work)


def keep(connection: Connection, snapshot: Snapshot) -> None:
    with connection.begin():
        save(connection, [snapshot])


async def test_a_log_of_the_first_form_is_read_and_continued_by_code_with_the_second(
    database: Database, database_url: str
) -> None:
    # Today's code writes a log and a snapshot.
    old = [created(1), created(2, "Ink"), proposed(1, 2, ItemChanged(price=Decimal(2))), proposed(2, 2, ItemDeleted())]
    await record(database, old)
    await database.write(partial(keep, snapshot=Snapshot(1, 2, 3, ItemCreated("Pen", Decimal(2), True))))
    written = await rows(database)

    with using(EVOLVED):
        # Future code reads all of it in the second form.
        await check_types(database)
        events: list[Any] = [one.event for one in await history(database)]
        assert events[:2] == [
            ItemCreatedV2("Pen", Decimal("1.5"), True, "EUR"),
            ItemCreatedV2("Ink", Decimal("1.5"), True, "EUR"),
        ]
        assert events[2:] == [ItemChanged(price=Decimal(2)), ItemDeleted()]
        told: list[Any] = [one.event for one in await stream(database, 1)]
        assert told == [ItemCreatedV2("Pen", Decimal(2), True, "EUR")]

        # It writes the second form, and can't write the first by mistake.
        second: Any = ItemCreatedV2("Nib", Decimal(3), False, "CHF")
        with pytest.raises(OldEventTypeError):
            await record(database, [created(5)], projector=Unprojected())
        await record(database, [proposed(5, 1, second)], projector=Unprojected())
        assert [one.event for one in await history(database)] == [*events, second]

    # The stored events are unchanged, byte for byte.
    *before, last = await rows(database)
    assert before == written
    assert last["type"] == "item.created.v2"
    assert last["data"] == '{"name":"Nib","price":"3","in_stock":false,"currency":"CHF"}'
    assert all(row["leaf_hash"] == leaf_hash_of(row) for row in (*before, last))

    # Today's code does not serve a log that it can't read.
    _assert_refuses(database_url, "1 of type 'item.created.v2', the first at position 5")


def _assert_refuses(database_url: str, *words: str) -> None:
    """Fail unless `itemledger serve` exits with an error and one line that contains these words."""
    server = Server(database_url)
    try:
        line = server.output()
    finally:
        server.close()
    assert server.process.returncode == 2, line
    assert line.startswith("Error: The log contains event types that this version does not support")
    assert line.count("\n") == 1, line
    for word in words:
        assert word in line
