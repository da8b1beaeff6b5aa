"""The route `/activity`: what happened on each day."""

from datetime import date
from functools import partial
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from api.auth.scopes import Scope
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.http.pagination import CURSOR, page_links
from api.http.problems import POSITION_NOT_REACHED, PROJECTION_NOT_READY, STORAGE_FULL
from api.http.query_params import MinPosition
from api.http.responses import HttpResponse, json_response
from api.schemas.examples import load
from api.schemas.item import price_json
from projections.activity import DayView

_Count = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]
_STOCK_VALUE = "The sum of the prices of all items in stock. Exact, with at most 4 fractional digits"


class Day(Struct, frozen=True):
    """The activity of one day (UTC), and the state at its end."""

    day: date
    created: Annotated[_Count, Meta(description="Items created")]
    changed: Annotated[_Count, Meta(description="Changes to items")]
    deleted: Annotated[_Count, Meta(description="Items deleted")]
    restored: Annotated[_Count, Meta(description="Items restored")]
    alive: Annotated[_Count, Meta(description="Items that exist at the end of the day")]
    stock_value: Annotated[Raw, Meta(description=_STOCK_VALUE, extra_json_schema={"type": "number"})]


class ActivityQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The range of days, and the page."""

    from_: Annotated[date | UnsetType, Meta(description="Only this day and later days", examples=["2026-11-01"])] = (
        field(default=UNSET, name="from")
    )
    to: Annotated[date | UnsetType, Meta(description="Only this day and earlier days", examples=["2026-11-30"])] = UNSET
    limit: Annotated[int, Meta(ge=1, le=1000, description="The maximum number of days to return", examples=[31])] = 100
    cursor: Annotated[date | UnsetType, Meta(description=CURSOR, examples=["2026-11-23"])] = UNSET
    min_position: MinPosition = 0

    def range(self) -> tuple[date, date]:
        """Return the first and the last day that the page may contain."""
        first = date.min if self.from_ is UNSET else self.from_
        return first, min(day for day in (self.to, self.cursor, date.max) if day is not UNSET)


async def list_activity() -> HttpResponse:
    """List the activity of each day.

    Days are UTC, newest first. Today shows the activity so far. A day without activity is left out: its state is that
    of the day before. Past days never change. Follow `rel="next"` of the `Link` header until there is none. A page
    shows one moment, its `Log-Position`.
    """
    request = current.get()
    query: ActivityQuery = request.query
    await request.wait_for_position(query.min_position)
    page = await request.services.activity.page(*query.range(), query.limit)
    request.set_log_position(page.position)
    links = page_links(request.path, msgspec.to_builtins(query), "cursor", page.next)
    return json_response(200, list(map(_to_day, page.days)), (b"link", links))


def _to_day(view: DayView) -> Day:
    value = price_json(view.stock_value)
    return Day(view.day, view.created, view.changed, view.deleted, view.restored, view.active_items, value)


_PAGE = Answer(200, "A page of days", list[Day], ("Link",), load("activity")["days"])
_PROBLEMS = (POSITION_NOT_REACHED, PROJECTION_NOT_READY, STORAGE_FULL)
_route = partial(Route, "GET", tag="activity", scope=Scope.ITEMS_READ)

ROUTES = [_route("/activity", list_activity, query=ActivityQuery, answers=(_PAGE,), problems=_PROBLEMS)]
