"""Activity by day: one row for each UTC day with events: their counts, and what the day added to the stock's value.

Totals at a day's end are sums over the days until then. So a row depends on its own day's events only, in any order.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct
from sqlalchemy import Column, Table, bindparam, func, select
from sqlalchemy import Row as AnyRow

from eventstore.database.database import Database
from eventstore.events import Event, ItemChanged, ItemCreated, ItemDeleted, ItemRestored
from eventstore.item import Item, LiveItem, Transition
from eventstore.log.tables import BigInt, metadata, required
from eventstore.log.write_set import RowChanges
from projections.items.items import price_units
from projections.projection_status import read_tables, with_position

_MICROSECONDS_A_DAY = 24 * 60 * 60 * 1_000_000
_EPOCH = date(1970, 1, 1).toordinal()
#: A sum of prices can exceed 64 bits. Its quotient and its rest by this number are summed apart, and cannot.
_STOCK_VALUE_DIVISOR = 10**9

activity = Table(
    "activity",
    metadata,
    #: In days since 1970-01-01.
    Column("day", BigInt, primary_key=True, autoincrement=False),
    #: The number of events of each kind on that day.
    *required(BigInt, "created", "changed", "deleted", "restored"),
    #: What they added to the total price of the items in stock, in ten-thousandths: a quotient and a rest, by 10^9.
    *required(BigInt, "stock_value_quotient", "stock_value_rest"),
)

_COUNTERS: Mapping[type[Event], str] = {
    ItemCreated: "created",
    ItemChanged: "changed",
    ItemDeleted: "deleted",
    ItemRestored: "restored",
}
_NOTHING = dict.fromkeys((*_COUNTERS.values(), "stock_value_quotient", "stock_value_rest"), 0)


class ActivityProjection:
    """Folds transitions into rows of `activity`; see Projection."""

    name = "activity"
    version = 2
    table = activity
    keyed_by_item = False

    def fold(self, transitions: Sequence[Transition]) -> RowChanges:
        """Return what events add to the row of each day on which they happened."""
        days: dict[int, dict[str, int]] = {}
        for transition in transitions:
            number = transition.event.recorded_at // _MICROSECONDS_A_DAY
            if (day := days.get(number)) is None:
                day = days[number] = {"day": number, **_NOTHING}
            day[_COUNTERS[transition.event.event.__class__]] += 1
            if added := _stock_value(transition.after) - _stock_value(transition.before):
                quotient, rest = divmod(added, _STOCK_VALUE_DIVISOR)
                day["stock_value_quotient"] += quotient
                day["stock_value_rest"] += rest
        return RowChanges(add=days)


ACTIVITY = ActivityProjection()


def _stock_value(item: Item) -> int:
    return price_units(item.price) if isinstance(item, LiveItem) and item.in_stock else 0


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


_counts = (activity.c.day, *(activity.c[name] for name in _COUNTERS.values()))
_totals = {
    "active_items": activity.c.created + activity.c.restored - activity.c.deleted,
    "quotient": activity.c.stock_value_quotient,
    "rest": activity.c.stock_value_rest,
}
_days = (
    select(*_counts, *(func.sum(added).over(order_by=activity.c.day).label(name) for name, added in _totals.items()))
    .where(activity.c.day <= bindparam("last"))
    .subquery()
)
_page = (
    select(_days)
    .where(_days.c.day >= bindparam("first"))
    .order_by(_days.c.day.desc())
    .limit(bindparam("limit"))
    .subquery()
)
_PAGE = with_position(ACTIVITY, _page).order_by(_page.c.day.desc())


class ActivityReader:
    """Reads days of activity."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, first: date, last: date, limit: int) -> DayPage:
        """Return at most `limit` days with events from `first` to `last`, the newest first.

        Raises ProjectionNotReadyError and UnavailableError.
        """
        # One more row than requested shows where the next page begins.
        parameters = {"first": first.toordinal() - _EPOCH, "last": last.toordinal() - _EPOCH, "limit": limit + 1}
        rows = await read_tables(self._database, (ACTIVITY,), lambda: self._database.read(_PAGE, parameters))
        days = [_view(row) for row in rows if row.day is not None]
        return DayPage(rows[0].position, days[:limit], days[limit].day if len(days) > limit else None)


def _view(row: AnyRow[Any]) -> DayView:
    stock_value = int(row.quotient) * _STOCK_VALUE_DIVISOR + int(row.rest)
    counts = (row.created, row.changed, row.deleted, row.restored, int(row.active_items))
    return DayView(date.fromordinal(row.day + _EPOCH), *counts, stock_value)
