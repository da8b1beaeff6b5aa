"""Activity by day: one row for each UTC day with events, with their counts and the totals at its end."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct
from sqlalchemy import Column, Table, Text, bindparam, select
from sqlalchemy import Row as AnyRow

from eventstore.database.database import Database
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemEvent, ItemRestored
from eventstore.log.tables import BigInt, metadata, required
from projections.items.items import state_after
from projections.projection import Changes, PriorState, Row
from projections.projection_status import read_if_current, with_position

_MICROSECONDS_A_DAY = 24 * 60 * 60 * 1_000_000
_EPOCH = date(1970, 1, 1).toordinal()

activity = Table(
    "activity",
    metadata,
    #: In days since 1970-01-01.
    Column("day", BigInt, primary_key=True, autoincrement=False),
    #: The number of events of each kind on that day.
    *required(BigInt, "created", "changed", "deleted", "restored"),
    #: The number of items at its end, deleted ones not counted.
    Column("active_items", BigInt, nullable=False),
    #: The total price of those in stock, in ten-thousandths. Text: it can exceed 64 bits.
    Column("stock_value", Text, nullable=False),
)

_COUNTERS: Mapping[type[Event], str] = {
    ItemCreated: "created",
    ItemChanged: "changed",
    ItemDeleted: "deleted",
    ItemRestored: "restored",
}
_NO_EVENTS = dict.fromkeys(_COUNTERS.values(), 0)
_DAY_BEFORE_ALL: Row = {"day": -1, **_NO_EVENTS, "active_items": 0, "stock_value": "0"}
_NO_ITEM: Row = {"active": False, "price": 0, "in_stock": False}


class ActivityProjection:
    """Folds events into rows of `activity`; see Projection.

    Before a run of events it reads the row of the last day, and the states of the items in the run. Items are
    distinguished from days by their keys: their ids, negated.
    """

    name = "activity"
    version = 1
    table = activity
    keyed_by_item = False
    replay_by_item = False

    def load(self, before: PriorState, events: Sequence[ItemEvent]) -> Mapping[int, Row]:
        """Read the row of the last day, and the states of items that earlier events created."""
        last = before.latest_row()
        rows: dict[int, Row] = {} if last is None else {last["day"]: last}
        created = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemCreated)}
        for recorded in before.streams({recorded.item_id for recorded in events} - created):
            rows[-recorded.item_id] = state_after(rows.get(-recorded.item_id, {}), recorded)
        return rows

    def fold(self, events: Sequence[ItemEvent], rows: Mapping[int, Row]) -> Changes:
        """Return the row of each day on which `events` happened."""
        items = {-key: row for key, row in rows.items() if key < 0}
        day = {**_DAY_BEFORE_ALL, **next((row for key, row in rows.items() if key >= 0), {})}
        day["stock_value"] = int(day["stock_value"])
        days: dict[int, Row] = {}
        for recorded in events:
            number = recorded.recorded_at // _MICROSECONDS_A_DAY
            if number != day["day"]:
                day = {**day, **_NO_EVENTS, "day": number}
            before = items.get(recorded.item_id, _NO_ITEM)
            after = items[recorded.item_id] = state_after(before, recorded)
            day[_COUNTERS[recorded.event.__class__]] += 1
            day["active_items"] += after["active"] - before["active"]
            day["stock_value"] += _stock_value(after) - _stock_value(before)
            days[number] = day
        return {number: {**row, "stock_value": str(row["stock_value"])} for number, row in days.items()}


ACTIVITY = ActivityProjection()


def _stock_value(item: Row) -> int:
    return item["price"] if item["active"] and item["in_stock"] else 0


class DayView(Struct, frozen=True):
    """One row of `activity`."""

    day: date
    created: int
    changed: int
    deleted: int
    restored: int
    active_items: int
    #: In ten-thousandths.
    stock_value: int


class DayPage(Struct, frozen=True):
    """A page of days, the newest first."""

    #: The log position of the page.
    position: int
    days: Sequence[DayView]
    #: The first day of the next page, None on the last page.
    next: date | None


_page = (
    select(activity)
    .where(activity.c.day.between(bindparam("first"), bindparam("last")))
    .order_by(activity.c.day.desc())
    .limit(bindparam("limit"))
    .subquery()
)
_PAGE = with_position(ACTIVITY, _page).order_by(_page.c.day.desc())


class ActivityReader:
    """Reads days of activity."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, first: date, last: date, limit: int) -> DayPage | None:
        """Return at most `limit` days with events from `first` to `last`, the newest first.

        Returns None where the table does not exist yet, or is too old. Raises UnavailableError.
        """
        # One more row than requested shows where the next page begins.
        parameters = {"first": first.toordinal() - _EPOCH, "last": last.toordinal() - _EPOCH, "limit": limit + 1}
        rows = await read_if_current(self._database, ACTIVITY, _PAGE, parameters)
        if rows is None:
            return None
        days = [_view(row) for row in rows if row.day is not None]
        return DayPage(rows[0].position, days[:limit], days[limit].day if len(days) > limit else None)


def _view(row: AnyRow[Any]) -> DayView:
    day = date.fromordinal(row.day + _EPOCH)
    return DayView(day, row.created, row.changed, row.deleted, row.restored, row.active_items, int(row.stock_value))
