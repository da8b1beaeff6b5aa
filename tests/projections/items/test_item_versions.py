"""From events to what items were: the same in one run or cut anywhere, live or replayed in either order."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection, delete

from eventstore.database.database import Database
from eventstore.events import ItemEvent, ProposedEvent
from projections.items.item_versions import ITEM_VERSIONS, item_versions
from projections.live import LiveProjections
from projections.projection import PriorState, apply
from projections.rebuild import replay
from projections.rebuild.rebuild import Options, rebuild
from projections.rebuild.replay_checkpoint import ReplayCheckpoint
from tests.eventstore.recording import changed, created, execute, record
from tests.projections.histories import cut_histories
from tests.projections.items.test_past_reader import wandering
from tests.projections.test_fold import append, in_passing
from tests.support.fold import assert_log_and_projection_agree, former_items_of_log, stored_former_items

_search = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_search
@given(cut_histories())
async def test_the_live_fold_is_the_same_wherever_it_is_cut(
    database: Database, example: tuple[list[ProposedEvent], list[int]]
) -> None:
    history, cuts = example

    def work(connection: Connection) -> None:
        for start, end in pairwise(cuts):
            apply(connection, ITEM_VERSIONS, item_versions, append(connection, history[start:end]))
            assert stored_former_items(connection) == former_items_of_log(connection)

    await in_passing(database, work)


@_search
@given(cut_histories())
async def test_a_replay_is_the_same_wherever_it_is_cut_and_item_by_item(
    database: Database, example: tuple[list[ProposedEvent], list[int]]
) -> None:
    history, cuts = example

    def work(connection: Connection) -> None:
        recorded = append(connection, history)
        for start, end in pairwise(cuts):  # the log already holds what lies ahead of the chunk
            apply(connection, ITEM_VERSIONS, item_versions, recorded[start:end])
            assert stored_former_items(connection) == former_items_of_log(connection, upto=end)
        connection.execute(delete(item_versions))
        cursor, sizes = (
            ReplayCheckpoint.start(ITEM_VERSIONS, len(history) // 2),
            [end - start for start, end in pairwise(cuts)],
        )
        while events := cursor.read(connection, sizes[cursor.position % len(sizes)]):
            folded = replay.fold(connection, ITEM_VERSIONS, item_versions, cursor, events)
            replay.write(connection, item_versions, folded)
            cursor = folded.cursor
        assert stored_former_items(connection) == former_items_of_log(connection)

    await in_passing(database, work)


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_a_log_that_is_there_already_is_worked_out(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    await execute(database, "DELETE FROM projections WHERE name = 'item_versions'", "DROP TABLE item_versions")
    history = wandering(seed=size, length=150)
    await record(database, history[:120])
    monkeypatch.setattr(replay.AdaptivePacer, "size", size)
    report = await rebuild(database, ITEM_VERSIONS, Options())
    assert report.rows > 50
    await record(database, history[120:])
    await assert_log_and_projection_agree(database)


async def test_what_an_item_was_is_told_from_two_events_and_a_row_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long its history is: neither a live event nor a chunk of a replay reads that from its beginning."""
    read: list[list[ItemEvent]] = []

    def note(before: PriorState, events: Iterable[ItemEvent]) -> list[ItemEvent]:
        read.append(previous_events(before, events))
        return read[-1]

    previous_events = PriorState.previous_events
    monkeypatch.setattr(PriorState, "previous_events", note)
    monkeypatch.setattr(PriorState, "streams", None)
    only_former = [LiveProjections([ITEM_VERSIONS])]
    await execute(database, "DELETE FROM projections WHERE name <> 'item_versions'")
    await record(database, [created(1), created(2)], projectors=only_former)
    for version in range(2, 40):
        await record(database, [changed(1, version), changed(2, version)], projectors=only_former)
    assert {len(facts) for facts in read} == {0, 2, 4}
