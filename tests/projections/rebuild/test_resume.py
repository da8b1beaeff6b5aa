"""An interrupted rebuild is resumed by the code that began it; rows of a failed one, or of other code, are not used."""

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from eventstore.database import table_swap
from eventstore.database.database import Database
from projections.projection import Projection
from projections.rebuild import rebuild_state
from projections.rebuild.rebuild import Options, Progress, rebuild
from projections.rebuild.rebuild_state import Rebuild
from tests.eventstore.recording import created, record
from tests.support.fold import assert_log_and_projection_agree

EVENTS = 600
#: Several chunks, a quarter of a second each, so that one can be met on its way.
SLOWLY = Options(throttle=1_000)
#: A module with a fold that is wrong for every item, or is not; and that fails at some item, or does not.
SOURCE = """
from msgspec.structs import replace
from projections.items.items import ItemsProjection

class Items(ItemsProjection):
    def fold(self, transitions):
        changes = super().fold(transitions)
        if {failing} in changes.insert:
            raise ValueError("item {failing} cannot be folded")
        rows = {{id: {{**row, "price": row["price"] * {factor}}} for id, row in changes.insert.items()}}
        return replace(changes, insert=rows)
"""

Code = Callable[..., Projection]


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    """Write and load another state of one module, as an upgrade does."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a module that is written twice a second is not stale

    def load(*, factor: int = 1, failing: int = 0) -> Projection:
        (tmp_path / "folding.py").write_text(SOURCE.format(factor=factor, failing=failing))
        importlib.invalidate_caches()
        sys.modules.pop("folding", None)
        projection: Projection = importlib.import_module("folding").Items()
        return projection

    yield load
    sys.modules.pop("folding", None)


async def interrupt(database: Database, projection: Projection) -> Rebuild:
    """Interrupt a rebuild on its way; return what is stored of it."""
    reached = asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.position:
            reached.set()

    running = asyncio.create_task(rebuild(database, projection, SLOWLY, tell))
    await reached.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    known = await stored(database)
    assert known.state == "interrupted"
    assert 0 < known.cursor.position < EVENTS
    return known


async def stored(database: Database) -> Rebuild:
    return (await rebuild_state.find_all(database))["items"]


async def fail(database: Database, projection: Projection) -> None:
    with pytest.raises(ValueError, match="cannot be folded"):
        await rebuild(database, projection, SLOWLY)


async def fill(database: Database) -> None:
    await record(database, [created(item) for item in range(1, EVENTS + 1)])


async def test_fixed_code_of_the_same_version_does_not_continue_an_interrupted_rebuild(
    database: Database, code: Code
) -> None:
    await fill(database)
    await interrupt(database, code(factor=2))
    report = await rebuild(database, code(), Options())
    assert (report.events, report.rows_differ) == (EVENTS, 0)
    await assert_log_and_projection_agree(database)


async def test_the_code_that_began_an_interrupted_rebuild_continues_it(database: Database, code: Code) -> None:
    await fill(database)
    projection = code()
    known = await interrupt(database, projection)
    report = await rebuild(database, code(), Options())  # another process of the same code
    assert report.events == EVENTS - known.cursor.position


async def test_a_failed_rebuild_is_not_resumed_and_leaves_no_table(database: Database, code: Code) -> None:
    await fill(database)
    await fail(database, code(factor=2, failing=EVENTS))
    known = await stored(database)
    assert (known.state, known.failure) == ("failed", f"item {EVENTS} cannot be folded")
    assert not await database.read_transaction(lambda connection: table_swap.exists(connection, "items_rebuild"))
    report = await rebuild(database, code(), Options())
    assert (report.events, report.rows_differ) == (EVENTS, 0)
    await assert_log_and_projection_agree(database)


async def test_a_table_that_a_failed_rebuild_could_not_drop_is_not_used(database: Database, code: Code) -> None:
    await fill(database)
    projection = code()
    await interrupt(database, projection)
    await database.write(fail_without_drop)
    report = await rebuild(database, projection, Options())
    assert report.events == EVENTS


def fail_without_drop(connection: Connection) -> None:
    with connection.begin():
        connection.execute(text("UPDATE rebuilds SET state = 'failed', failure = 'the disk was full'"))
