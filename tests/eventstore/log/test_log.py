"""The guarantees of the log, on both databases."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from eventstore.database.database import Database
from eventstore.events import Metadata, RecordedEvent
from eventstore.item import Transition
from eventstore.log.head import Head, read_head
from eventstore.log.streams import read_commands, read_streams
from eventstore.log.unit_of_work import unit_of_work
from eventstore.log.write_set import TableChanges
from eventstore.merkle import hashing
from projections import PROJECTIONS
from projections.live import LiveProjections
from tests.eventstore.recording import (
    ProposedEvent,
    Unprojected,
    append,
    changed,
    created,
    history,
    live,
    proposed,
    record,
    record_in,
    tables,
)
from tests.support.fold import assert_log_and_projection_agree


async def head(database: Database) -> Head:
    return await database.read_transaction(read_head)


async def test_a_new_log_is_empty(database: Database) -> None:
    assert await head(database) == Head(0, 0, (), len(PROJECTIONS))
    assert await history(database) == []
    await assert_log_and_projection_agree(database)


async def test_recorded_events_are_read_in_order_with_all_their_fields(database: Database) -> None:
    fingerprint = b"\x00\xff" * 16
    metadata = Metadata("caf\u00e9-1", "J\u00fcrgen \U0001f58a", "key:a1", fingerprint, "correlation", "causation")
    first = await record(database, [created(1), ProposedEvent(2, 1, created(2).event, metadata, 7)], now=1000)
    second = await record(database, [changed(2, 2), created(4), changed(1, 2)], now=2000)
    everything = await history(database)
    assert everything == first + second
    assert [event.position for event in everything] == [1, 2, 3, 4, 5]
    assert [event.recorded_at for event in everything] == [1000, 1000, 2000, 2000, 2000]
    assert everything[1] == RecordedEvent(2, 2, 1, 1000, created(2).event, metadata, 7)
    await assert_log_and_projection_agree(database)


async def test_a_stream_is_one_item_s_events_and_a_command_s_are_found_by_its_id(database: Database) -> None:
    events = [
        created(1),
        created(2, command_id="two"),
        changed(1, 2, command_id="two", ordinal=1),
        changed(2, 2),
        changed(1, 3),
    ]
    one, two, one_2, two_2, one_3 = await record(database, events)

    def check(connection: Connection) -> None:
        assert list(read_streams(connection, [2, 1, 99])) == [one, one_2, one_3, two, two_2]
        assert list(read_streams(connection, [2])) == [two, two_2]
        assert list(read_streams(connection, [])) == []
        assert list(read_commands(connection, ["two", "never"])) == [two, one_2]

    await database.read_transaction(check)


async def test_the_head_and_the_tree_move_with_the_log(database: Database) -> None:
    position = 0
    for size in (1, 2, 250, 5, 300, 1):  # across the tile boundaries at 256 and 512, at once and step by step
        await record(database, [created(position + 1 + offset) for offset in range(size)], now=position)
        position += size
        moved = await head(database)
        assert (moved.position, moved.recorded_at) == (position, position - size)
        assert len(moved.frontier) == position.bit_count()
        await assert_log_and_projection_agree(database)
    stored = await database.read(text('SELECT level, "index" FROM log_tiles ORDER BY "index"'))
    assert [tuple(row) for row in stored] == [(1, 0), (1, 1)]
    leaves = [row[0] for row in await database.read(text("SELECT leaf_hash FROM events ORDER BY position"))]
    assert hashing.root((await head(database)).frontier) == hashing.root(hashing.append(0, (), leaves)[0])


async def test_time_never_goes_back(database: Database) -> None:
    for clock in (5, 3, 4, -1, 6):
        await record(database, [created((await head(database)).position + 1)], now=clock)
    assert [event.recorded_at for event in await history(database)] == [5, 5, 5, 5, 6]
    await assert_log_and_projection_agree(database)


async def test_nothing_to_record_changes_nothing(database: Database) -> None:
    await record(database, [created(1)])
    before = await tables(database)
    assert await record(database, [], now=99) == []
    assert await tables(database) == before


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(changed(1, 2, command_id="another"), id="a version twice"),
        pytest.param(created(1, command_id="another"), id="a first version twice"),
        pytest.param(proposed(9, 1, created(9).event, command_id="1.2"), id="a command's event twice"),
        pytest.param(changed(1, 0), id="a version below 1"),
        pytest.param(
            ProposedEvent(9, 1, created(9).event, Metadata("short", fingerprint=bytes(31))), id="a short fingerprint"
        ),
    ],
)
async def test_events_that_conflict_with_the_log_are_refused_together(database: Database, event: ProposedEvent) -> None:
    await record(database, [created(1), changed(1, 2)])
    before = await tables(database)
    with pytest.raises(IntegrityError):
        await record(database, [created(3), event, created(5)], now=99, projector=Unprojected())
    assert await tables(database) == before
    await record(database, [created(3)])
    await assert_log_and_projection_agree(database)


async def test_events_that_conflict_with_each_other_are_refused_together(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await record(database, [created(1, command_id="same"), created(2, command_id="same")])
    with pytest.raises(IntegrityError):
        await record(
            database,
            [created(1), changed(1, 2, command_id="a"), changed(1, 2, command_id="b")],
            projector=Unprojected(),
        )
    assert await history(database) == []
    await record(database, [created(1, command_id="same"), created(2, command_id="same", ordinal=1)])
    await assert_log_and_projection_agree(database)


class BrokenError(Exception):
    """Raised by the test."""


async def test_a_unit_of_work_that_raises_leaves_nothing(database: Database) -> None:
    await record(database, [created(1)])
    before = await tables(database)

    def work(connection: Connection) -> None:
        with unit_of_work(connection, live()) as unit:
            record_in(unit, [created(2)], 99)
            record_in(unit, [created(3)], 99)
            raise BrokenError

    with pytest.raises(BrokenError):
        await database.write(work)
    assert await tables(database) == before
    await record(database, [created(2)])
    await assert_log_and_projection_agree(database)


class BrokenProjector(LiveProjections):
    """Fails."""

    def fold(self, transitions: Sequence[Transition]) -> list[TableChanges]:
        raise BrokenError


async def test_a_projection_that_raises_rolls_the_events_back(database: Database) -> None:
    await record(database, [created(1)])
    before = await tables(database)
    with pytest.raises(BrokenError):
        await record(database, [created(2)], projector=BrokenProjector(PROJECTIONS))
    assert await tables(database) == before


async def test_two_records_in_one_unit_of_work_follow_each_other(database: Database) -> None:
    def work(connection: Connection) -> None:
        with unit_of_work(connection, live()) as unit:
            record_in(unit, [created(1), created(2)], 1)
            assert unit.head.position == 2
            record_in(unit, [changed(1, 2)], 2)
            assert [event.position for event in read_streams(connection, [1])] == [1, 3]

    await database.write(work)
    await assert_log_and_projection_agree(database)


async def test_readers_see_nothing_before_the_commit(database: Database) -> None:
    count = text("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM items)")

    def begin(connection: Connection) -> None:
        # Left open on purpose: the next call on the same connection ends it.
        connection.begin()
        append(connection, [created(1)])

    await database.write(begin)
    assert (await database.read(count))[0][0] == 0
    await database.write(lambda connection: connection.commit())
    assert (await database.read(count))[0][0] == 1
