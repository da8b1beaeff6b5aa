"""The contract of projections: a fold is the same in one run or cut anywhere, live or replayed in either order."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete

from eventstore.database.database import Database
from eventstore.events import ItemDeleted
from eventstore.log.transitions import ItemStates
from eventstore.log.write_set import RowChanges
from projections import PROJECTIONS
from projections.projection import Projection
from projections.rebuild import replay
from projections.rebuild.replay_checkpoint import ReplayCheckpoint
from tests.eventstore.recording import ProposedEvent, append, changed, created, proposed
from tests.projections.histories import cuts, histories
from tests.projections.transactions import apply, rolled_back
from tests.support import fold

DAY = 86_400_000_000

#: By projection: the rows that the reference model derives from the log, and the stored rows.
Rows = dict[int, dict[str, Any]]
REFERENCE: dict[str, tuple[Callable[..., Rows], Callable[[Connection], Rows]]] = {
    "items": (fold.fold_of_log, fold.stored_items),
    "activity": (fold.days_of_log, fold.stored_days),
    "item_versions": (fold.item_versions_of_log, fold.stored_item_versions),
}

_search = settings(
    derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
each_projection = pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)

#: A stretch of a log: some events, and when they are recorded.
Stretch = tuple[list[ProposedEvent], int]


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Stretch], list[int]]:
    """Draw a log over some days, with several stretches on one and days without any; and where to cut it."""
    history = draw(histories())
    stretches: list[Stretch] = []
    now = draw(st.sampled_from([0, 1, DAY - 1, DAY, 20_000 * DAY]))
    for start, end in pairwise(cuts(draw, len(history))):
        stretches.append((history[start:end], now))
        now += draw(st.sampled_from([0, 1, DAY - 1, DAY, 3 * DAY]))
    return stretches, cuts(draw, len(history))


def test_every_projection_has_a_reference() -> None:
    assert REFERENCE.keys() == {projection.name for projection in PROJECTIONS}


@each_projection
@_search
@given(logs())
async def test_a_live_fold_is_the_same_wherever_it_is_cut(
    database: Database, projection: Projection, example: tuple[list[Stretch], list[int]]
) -> None:
    expected, stored = REFERENCE[projection.name]

    def work(connection: Connection) -> None:
        for events, now in example[0]:
            apply(connection, projection, projection.table, append(connection, events, now))
            assert stored(connection) == expected(connection)

    await rolled_back(database, work)


@each_projection
@_search
@given(logs())
async def test_a_replay_is_the_same_wherever_it_is_cut_and_in_either_order(
    database: Database, projection: Projection, example: tuple[list[Stretch], list[int]]
) -> None:
    (stretches, places), table = example, projection.table
    expected, stored = REFERENCE[projection.name]

    def work(connection: Connection) -> None:
        recorded = [one for events, now in stretches for one in append(connection, events, now)]
        apply(connection, projection, table, recorded)
        at_once = stored(connection)
        assert at_once == expected(connection)

        connection.execute(delete(table))
        for start, end in pairwise(places):  # the log already has the events behind the chunk
            apply(connection, projection, table, recorded[start:end])
            assert stored(connection) == expected(connection, upto=end)
        assert stored(connection) == at_once

        sizes = [end - start for start, end in pairwise(places)]
        for interrupted in (False, True):
            connection.execute(delete(table))
            cursor, states = ReplayCheckpoint(base=len(recorded) // 2), ItemStates()
            while events := cursor.read(connection, sizes[cursor.position % len(sizes)]):
                folded = replay.fold(connection, projection, states, cursor, events)
                replay.write(connection, table, folded)
                cursor = folded.cursor
                if interrupted:
                    states = ItemStates()
            assert stored(connection) == at_once

    await rolled_back(database, work)


@each_projection
async def test_a_fold_reads_nothing_and_changes_nothing_that_it_is_given(
    database: Database, projection: Projection
) -> None:
    def work(connection: Connection) -> None:
        append(connection, [created(1), created(2)])
        recorded = append(connection, [changed(1, 2), proposed(2, 2, ItemDeleted()), created(5)], now=DAY)
        transitions = ItemStates().follow(connection, recorded)
        copy = list(transitions)
        changes = projection.fold(transitions)
        assert changes != RowChanges()
        assert projection.fold(transitions) == changes
        assert transitions == copy

    await rolled_back(database, work)


@each_projection
async def test_the_longest_run_of_a_batch_is_folded_at_once(database: Database, projection: Projection) -> None:
    # More rows than a statement may have parameters, if each value were bound at once.
    expected, stored = REFERENCE[projection.name]

    def work(connection: Connection) -> None:
        for events in (
            [created(position) for position in range(1, 10_001)],
            [proposed(item_id, 2, ItemDeleted()) for item_id in range(1, 10_001)],
        ):
            apply(connection, projection, projection.table, append(connection, events))
        assert stored(connection) == expected(connection)

    await rolled_back(database, work)
