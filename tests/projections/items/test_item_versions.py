"""From events to rows of `item_versions`: see ../test_contract.py for what holds for every projection."""

from collections.abc import Iterable

import pytest

from eventstore.database.database import Database
from eventstore.events import ItemEvent
from projections.items.item_versions import ITEM_VERSIONS
from projections.live import LiveProjections
from projections.projection import PriorState
from projections.rebuild import replay
from projections.rebuild.rebuild import Options, rebuild
from tests.eventstore.recording import changed, created, execute, record
from tests.projections.items.test_past_reader import wandering
from tests.support.fold import assert_log_and_projection_agree


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_an_existing_log_is_folded_by_a_rebuild(
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


async def test_a_state_is_read_from_two_events_and_a_row_of_the_item(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a live event nor a chunk of a replay reads an item's history from its beginning, however long it is."""
    read: list[list[ItemEvent]] = []

    def recording(before: PriorState, events: Iterable[ItemEvent]) -> list[ItemEvent]:
        read.append(previous_events(before, events))
        return read[-1]

    previous_events = PriorState.previous_events
    monkeypatch.setattr(PriorState, "previous_events", recording)
    monkeypatch.setattr(PriorState, "streams", None)
    only_versions = [LiveProjections([ITEM_VERSIONS])]
    await execute(database, "DELETE FROM projections WHERE name <> 'item_versions'")
    await record(database, [created(1), created(2)], projectors=only_versions)
    for version in range(2, 40):
        await record(database, [changed(1, version), changed(2, version)], projectors=only_versions)
    assert {len(facts) for facts in read} == {0, 2, 4}
