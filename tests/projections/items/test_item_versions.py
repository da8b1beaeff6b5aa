"""From events to rows of `item_versions`: see ../test_contract.py for what holds for every projection."""

import pytest

from eventstore.database.database import Database
from projections.items.item_versions import ITEM_VERSIONS
from projections.rebuild import replay
from projections.rebuild.rebuild import Options, rebuild
from tests.eventstore.recording import execute, record
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
