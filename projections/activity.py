"""What happened day by day, and what there was at the end of each: one row a UTC day on which something happened."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, assert_never

from msgspec import UNSET, Struct
from sqlalchemy import Column, Table, Text, bindparam, select, true
from sqlalchemy import Row as AnyRow

from eventstore.database.database import Database
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemEvent, ItemRestored
from eventstore.log.tables import BigInt, metadata
from projections.items.items import price_units
from projections.projection import Changes, PriorState, Row, checkpoints
from projections.projection_status import read_if_current

_MICROSECONDS_A_DAY = 24 * 60 * 60 * 1_000_000
_EPOCH = date(1970, 1, 1).toordinal()

activity = Table(
    "activity",
    metadata,
    #: In days since 1970-01-01.
    Column("day", BigInt, primary_key=True, autoincrement=False),
    #: How many events of each sort the day had.
    Column("created", BigInt, nullable=False),
    Column("changed", BigInt, nullable=False),
    Column("deleted", BigInt, nullable=False),
    Column("restored", BigInt, nullable=False),
    #: The items that there were at its end.
    Column("alive", BigInt, nullable=False),
    #: What those of them that were in stock cost together, in ten-thousandths. Text: it can exceed 64 bits.
    Column("stock_value", Text, nullable=False),
)

_QUIET = {"created": 0, "changed": 0, "deleted": 0, "restored": 0}
_DAY_BEFORE_ALL: Row = {"day": -1, **_QUIET, "alive": 0, "stock_value": "0"}
_UNBORN: Row = {"alive": False, "price": 0, "in_stock": False}


class ActivityProjection:
    """Folds events into rows of `activity`; see Projection.

    Of the time before a run it needs the row of the last day, and what the items were that the run's events happen to.
    Those are told apart from days by their keys: their ids, below zero.
    """

    name = "activity"
    version = 1
    table = activity
    keyed_by_item = False
    replay_by_item = False

    def load(self, before: PriorState, events: Sequence[ItemEvent]) -> Mapping[int, Row]:
        """Read the row of the last day, and of the items what their events before made of them."""
        last = before.latest_row()
        rows: dict[int, Row] = {} if last is None else {last["day"]: last}
        born = {recorded.item_id for recorded in events if isinstance(recorded.event, ItemCreated)}
        for recorded in before.streams({recorded.item_id for recorded in events} - born):
            _, rows[-recorded.item_id] = _apply_event(rows.get(-recorded.item_id, _UNBORN), recorded.event)
        return rows

    def fold(self, events: Sequence[ItemEvent], rows: Mapping[int, Row]) -> Changes:
        """Give the row of each day on which `events` happened."""
        items = {-key: row for key, row in rows.items() if key < 0}
        day = {**_DAY_BEFORE_ALL, **next((row for key, row in rows.items() if key >= 0), {})}
        day["stock_value"] = int(day["stock_value"])
        days: dict[int, Row] = {}
        for recorded in events:
            number = recorded.recorded_at // _MICROSECONDS_A_DAY
            if number != day["day"]:
                day = {**day, **_QUIET, "day": number}
            before = items.get(recorded.item_id, _UNBORN)
            counted, after = _apply_event(before, recorded.event)
            items[recorded.item_id] = after
            day[counted] += 1
            day["alive"] += after["alive"] - before["alive"]
            day["stock_value"] += _worth(after) - _worth(before)
            days[number] = day
        return {number: {**row, "stock_value": str(row["stock_value"])} for number, row in days.items()}


ACTIVITY = ActivityProjection()


def _apply_event(item: Row, event: Event) -> tuple[str, Row]:
    """Give the column that counts `event`, and what it makes of `item`."""
    match event:
        case ItemCreated(_, price, in_stock):
            return "created", {"alive": True, "price": price_units(price), "in_stock": in_stock}
        case ItemChanged(_, price, in_stock):
            changes: dict[str, Any] = {}
            if price is not UNSET:
                changes["price"] = price_units(price)
            if in_stock is not UNSET:
                changes["in_stock"] = in_stock
            return "changed", {**item, **changes}
        case ItemDeleted():
            return "deleted", {**item, "alive": False}
        case ItemRestored():
            return "restored", {**item, "alive": True}
        case _:
            assert_never(event)


def _worth(item: Row) -> int:
    return item["price"] if item["alive"] and item["in_stock"] else 0


class DayView(Struct, frozen=True):
    """A day as its row holds it."""

    day: date
    created: int
    changed: int
    deleted: int
    restored: int
    alive: int
    #: In ten-thousandths.
    stock_value: int


class DayPage(Struct, frozen=True):
    """A part of the days, the newest first."""

    #: The log position that it is of.
    position: int
    days: Sequence[DayView]
    #: The day that the next page begins with, None where this one is the last.
    next: date | None


_page = (
    select(activity)
    .where(activity.c.day.between(bindparam("first"), bindparam("last")))
    .order_by(activity.c.day.desc())
    .limit(bindparam("limit"))
    .subquery()
)
# The position is of the same snapshot as the days, and there is a row of it even where there is no day.
_HERE = checkpoints.c.name == ACTIVITY.name
_PAGE = (
    select(checkpoints.c.position, *_page.c)
    .select_from(checkpoints.outerjoin(_page, true()))
    .where(_HERE)
    .order_by(_page.c.day.desc())
)


class ActivityReader:
    """Answers questions about days."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, first: date, last: date, limit: int) -> DayPage | None:
        """Give at most `limit` days from `first` to `last`, those on which something happened, the newest first.

        None where the table is not there yet, or is too old to tell. Raises UnavailableError.
        """
        # One more than asked for tells where the next page begins.
        wanted = {"first": _number(first), "last": _number(last), "limit": limit + 1}
        rows = await read_if_current(self._database, ACTIVITY, _PAGE, wanted)
        if rows is None:
            return None
        days = [_view(row) for row in rows if row.day is not None]
        return DayPage(rows[0].position, days[:limit], days[limit].day if len(days) > limit else None)


def _number(day: date) -> int:
    return day.toordinal() - _EPOCH


def _view(row: AnyRow[Any]) -> DayView:
    day = date.fromordinal(row.day + _EPOCH)
    return DayView(day, row.created, row.changed, row.deleted, row.restored, row.alive, int(row.stock_value))
