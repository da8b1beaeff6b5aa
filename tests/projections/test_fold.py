"""From events to rows: the same in one run or cut anywhere, live or replayed."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection, delete

from eventstore.database.database import Database
from eventstore.events import ItemCreated, ItemDeleted, ItemRestored, ProposedEvent, RecordedEvent
from eventstore.log import log
from projections.items.items import ITEMS, items
from projections.projection import PriorState, apply
from tests.eventstore.recording import changed, created, proposed
from tests.projections.histories import cut_histories
from tests.support.fold import fold_of_log, stored_items

#: The database is one for all examples: each runs in a transaction that is taken back.
_search = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def in_passing(database: Database, work: Callable[[Connection], None]) -> None:
    """Run `work` in a transaction, and take it back."""

    def run(connection: Connection) -> None:
        with connection.begin() as transaction:
            work(connection)
            transaction.rollback()

    await database.write(run)


def append(connection: Connection, events: Sequence[ProposedEvent]) -> list[RecordedEvent]:
    return log.append(connection, log.lock_head(connection), events, 1)[1]


def chunks(history: Sequence[ProposedEvent], cuts: Sequence[int]) -> Iterable[Sequence[ProposedEvent]]:
    return [history[start:end] for start, end in pairwise(cuts)]


@_search
@given(cut_histories())
async def test_the_live_fold_is_the_same_wherever_it_is_cut(
    database: Database, example: tuple[list[ProposedEvent], list[int]]
) -> None:
    def work(connection: Connection) -> None:
        for chunk in chunks(*example):
            apply(connection, ITEMS, items, append(connection, chunk))
            assert stored_items(connection) == fold_of_log(connection)

    await in_passing(database, work)


@_search
@given(cut_histories())
async def test_a_replay_is_the_same_wherever_it_is_cut(
    database: Database, example: tuple[list[ProposedEvent], list[int]]
) -> None:
    history, cuts = example

    def work(connection: Connection) -> None:
        recorded = append(connection, history)
        apply(connection, ITEMS, items, recorded)
        at_once = stored_items(connection)
        assert at_once == fold_of_log(connection)
        connection.execute(delete(items))
        for start, end in pairwise(cuts):  # the log already holds what lies ahead of the chunk
            apply(connection, ITEMS, items, recorded[start:end])
            assert stored_items(connection) == fold_of_log(connection, upto=end)
        assert stored_items(connection) == at_once

    await in_passing(database, work)


async def test_an_item_created_and_deleted_in_one_run_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        recorded = append(connection, [created(1), created(2), changed(1, 2), proposed(1, 3, ItemDeleted())])
        assert ITEMS.load(PriorState(connection, items, 0), recorded) == {}
        changes = ITEMS.fold(recorded, {})
        assert changes[1] is None
        assert changes.keys() == {1, 2}
        apply(connection, ITEMS, items, recorded)
        assert stored_items(connection).keys() == {2}

    await in_passing(database, work)


async def test_an_item_that_returns_is_as_it_last_was(database: Database) -> None:
    def work(connection: Connection) -> None:
        apply(connection, ITEMS, items, append(connection, [created(1, "Pen"), changed(1, 2)]))
        before = stored_items(connection)[1]
        apply(connection, ITEMS, items, append(connection, [proposed(1, 3, ItemDeleted())]))
        assert stored_items(connection) == {}
        apply(connection, ITEMS, items, append(connection, [proposed(1, 4, ItemRestored()), created(5)]))
        assert stored_items(connection)[1] == before | {"version": 4}

    await in_passing(database, work)


async def test_the_longest_run_of_a_batch_is_folded_at_once(database: Database) -> None:
    # More rows than a statement may have parameters, were each bound at once.
    def work(connection: Connection) -> None:
        births = [created(position) for position in range(1, 10_001)]
        apply(connection, ITEMS, items, append(connection, births))
        assert len(stored_items(connection)) == 10_000
        deaths = [proposed(item_id, 2, ItemDeleted()) for item_id in range(1, 10_001)]
        apply(connection, ITEMS, items, append(connection, deaths))
        assert stored_items(connection) == {}

    await in_passing(database, work)


async def test_a_price_is_kept_to_the_last_digit(database: Database) -> None:
    prices = {
        "0": 0,
        "-0.0001": -1,
        "99999999999999.9999": 10**18 - 1,
        "-99999999999999.9999": 1 - 10**18,
        "100": 10**6,
    }

    def work(connection: Connection) -> None:
        events = [
            proposed(position, 1, ItemCreated("Pen", Decimal(price), True)) for position, price in enumerate(prices, 1)
        ]
        apply(connection, ITEMS, items, append(connection, events))
        assert [row["price"] for _, row in sorted(stored_items(connection).items())] == list(prices.values())

    await in_passing(database, work)
