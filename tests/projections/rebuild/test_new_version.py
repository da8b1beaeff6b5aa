"""A worked example: the code changes, the log stays, and a rebuild creates the tables that the new code needs.

First an event type gets a new version, and `items` a column that only the new version has. Then a projection is added
to a log with events.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Column, MetaData, String, Table, text

from commands.item import CreateItem
from commands.writer import Writer
from eventstore.database.database import Database
from eventstore.events import ItemDeleted, ItemRestored
from eventstore.item import Transition
from eventstore.log.tables import BigInt, metadata
from eventstore.log.write_set import Row, RowChanges
from projections import PROJECTIONS
from projections.items.items import ItemsProjection, items
from projections.live import LiveProjections
from projections.projection import Projection
from projections.rebuild.rebuild import Options, rebuild
from projections.rebuild.rebuild_state import Report
from tests.eventstore.recording import ProposedEvent, changed, created, execute, opened, proposed, record
from tests.support.evolved import EVOLVED, ItemCreatedV2, LiveItemWithCurrency, using
from tests.support.writing import metadata as of_a_command

#: Items in the log before the rebuild, and the events a second of a rebuild that is slow enough for other work.
ITEMS, SLOWLY = 400, 1_000.0
NEXT_TO_TODAY = MetaData(naming_convention=metadata.naming_convention)

items_with_currency = items.to_metadata(NEXT_TO_TODAY)
items_with_currency.append_column(Column("currency", String(3), nullable=False))


class ItemsWithCurrency(ItemsProjection):
    """`items` with the currency of ItemCreatedV2. Only the changes are implemented here."""

    version = 3
    table = items_with_currency

    def fold(self, transitions: Sequence[Transition]) -> RowChanges:
        currencies = {
            transition.event.item_id: transition.after.currency
            for transition in transitions
            if isinstance(transition.after, LiveItemWithCurrency)
        }
        changes = super().fold(transitions)

        def with_currency(rows: Mapping[int, Row]) -> dict[int, Row]:
            return {item_id: {**row, "currency": currencies[item_id]} for item_id, row in rows.items()}

        return replace(changes, insert=with_currency(changes.insert), replace=with_currency(changes.replace))


class EventsOfItems:
    """A new projection: the number of events of each item, deleted or not."""

    name = "events_of_items"
    version = 1
    table = Table(
        "events_of_items",
        NEXT_TO_TODAY,
        Column("id", BigInt, primary_key=True, autoincrement=False),
        Column("events", BigInt, nullable=False),
    )
    keyed_by_item = True

    def fold(self, transitions: Sequence[Transition]) -> RowChanges:
        counts = Counter(transition.event.item_id for transition in transitions)
        return RowChanges(add={item_id: {"id": item_id, "events": count} for item_id, count in counts.items()})


async def rebuild_beside(url: str, projection: Projection, options: Options) -> Report:
    """Rebuild over separate connections, as another process would."""
    async with opened(url) as database:
        return await rebuild(database, projection, options)


def created_in(currency: str, item_id: int) -> ProposedEvent:
    """Return an item's first event, in the new version."""
    event: Any = ItemCreatedV2("Pen", Decimal("1.5"), True, currency)
    return proposed(item_id, 1, event)


async def items_that_serve(database: Database) -> tuple[int, dict[int, dict[str, Any]]]:
    """Read, as of one moment, the version of the table that clients read, and its rows by id."""
    both = "SELECT projections.version AS made_by, items.* FROM items, projections WHERE projections.name = 'items'"
    rows = [dict(row._mapping) for row in await database.read(text(both))]
    (version,) = {row.pop("made_by") for row in rows}
    return version, {row["id"]: row for row in rows}


async def test_a_log_of_an_older_version_is_rebuilt_with_a_new_column(database: Database, database_url: str) -> None:
    # The old code writes. The other projections would be changed like `items`; this example leaves them out.
    others = ("activity", "item_versions")
    await execute(database, *(f"DROP TABLE {name}" for name in others), "DELETE FROM projections WHERE name <> 'items'")
    known = range(1, ITEMS + 1)
    await record(database, [*map(created, known), *(changed(item_id, 2) for item_id in known)])
    await record(database, [proposed(3, 3, ItemDeleted())])
    expected = {item_id: {"price": 20_000, "version": 2, "currency": "EUR"} for item_id in known if item_id != 3}
    position, served_by = 2 * ITEMS + 1, list[int]()

    # The new code takes over. It writes while the table is rebuilt, and every write is visible at once.
    live = LiveProjections([ItemsWithCurrency()])

    async def append(*more: ProposedEvent) -> None:
        nonlocal position
        item_id = position + 1
        happened = [created_in("USD", item_id), changed(item_id, 2), *more]
        await record(database, happened, projector=live)
        position += len(happened)
        expected[item_id] = {"price": 20_000, "version": 2, "currency": "USD"}

    async def check_rows() -> None:
        version, rows = await items_that_serve(database)
        columns = ("price", "version") if version == 2 else ("price", "version", "currency")
        assert all(("currency" in row) == (version == 3) for row in rows.values())
        shown = {item_id: {name: row[name] for name in columns} for item_id, row in rows.items()}
        assert shown == {item_id: {name: row[name] for name in columns} for item_id, row in expected.items()}
        served_by.append(version)

    with using(EVOLVED):
        await append()
        await check_rows()
        rebuilding = asyncio.create_task(rebuild_beside(database_url, ItemsWithCurrency(), Options(throttle=SLOWLY)))
        for turn in count(3):
            await append(changed(1, turn), changed(ITEMS, turn))
            for item_id in (1, ITEMS):
                expected[item_id] = {"price": turn * 10_000, "version": turn, "currency": "EUR"}
            await check_rows()
            if rebuilding.done():
                break
            await asyncio.sleep(0.01)
        report = await rebuilding
        await append(proposed(3, 4, ItemRestored()))
        expected[3] = {"price": 20_000, "version": 4, "currency": "EUR"}
        await check_rows()

    assert served_by == sorted(served_by)
    assert set(served_by) == {2, 3}
    assert (report.version, report.swapped, report.columns_added, report.columns_dropped) == (3, True, ["currency"], [])
    assert (report.rows_differ, report.samples) == (0, [])
    assert report.rows_compared == report.rows >= ITEMS
    assert report.digest_live == report.digest_rebuilt is not None


async def test_a_projection_added_to_a_log_with_events_is_built_while_others_append(
    database: Database, database_url: str
) -> None:
    known = range(1, ITEMS + 1)
    await record(database, [*map(created, known), *(changed(item_id, 2) for item_id in known)])
    added = EventsOfItems()
    writer = Writer(database, LiveProjections([*PROJECTIONS, added]))
    ended = asyncio.Event()

    async def append() -> int:
        """Create one item after the other; return the position of the last."""
        while True:
            last = ended.is_set()  # once more after the end
            recorded = await writer.submit(CreateItem("Pen", Decimal(1)), metadata=of_a_command())
            if last:
                return recorded.position
            await asyncio.sleep(0.004)

    async with asyncio.TaskGroup() as tasks:
        appending = [tasks.create_task(append()) for _ in range(8)]
        report = await rebuild_beside(database_url, added, Options())
        ended.set()
    await writer.close()

    end = max(task.result() for task in appending)
    assert 2 * ITEMS < report.position < end, "nothing was appended meanwhile, or afterwards"
    assert (report.swapped, report.rows_compared, report.digest_live) == (True, 0, None)
    rows = await database.read(text("SELECT id, events FROM events_of_items ORDER BY id"))
    assert rows == await database.read(text("SELECT item_id, count(*) FROM events GROUP BY item_id ORDER BY item_id"))
    found = await database.read(text("SELECT version FROM projections WHERE name = 'events_of_items'"))
    assert list(map(tuple, found)) == [(1,)]
