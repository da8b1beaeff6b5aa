"""The route of what happened day by day."""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from api.auth.scopes import Scope
from api.edge.context import current
from api.edge.routing import Answer, Route
from api.http.pagination import page_links
from api.http.problems import POSITION_NOT_REACHED, PROJECTION_NOT_READY, STORAGE_FULL, Problem
from api.http.query_params import MinPosition
from api.http.responses import HttpResponse, json_response
from api.schemas.item import number
from projections.activity import DayView

_Count = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]


class Day(Struct, frozen=True):
    """What happened on a day of UTC, and what there was at its end."""

    day: date
    created: Annotated[_Count, Meta(description="Items created")]
    changed: Annotated[_Count, Meta(description="Changes of items")]
    deleted: Annotated[_Count, Meta(description="Items deleted")]
    restored: Annotated[_Count, Meta(description="Items restored")]
    alive: Annotated[_Count, Meta(description="Items that there were at the end of the day")]
    stock_value: Annotated[
        Raw,
        Meta(
            description="The prices of those in stock, added up: exact, with at most 4 fractional digits",
            extra_json_schema={"type": "number"},
        ),
    ]


class ActivityQuery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which days, and which page of them."""

    from_: Annotated[date | UnsetType, Meta(description="Only this day and later ones", examples=["2026-11-01"])] = (
        field(default=UNSET, name="from")
    )
    to: Annotated[date | UnsetType, Meta(description="Only this day and earlier ones", examples=["2026-11-30"])] = UNSET
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many days at most", examples=[31])] = 100
    cursor: Annotated[
        date | UnsetType,
        Meta(
            description="Where the page begins: from the `Link` of the page before, and not to be made or taken apart",
            examples=["2026-11-23"],
        ),
    ] = UNSET
    min_position: MinPosition = 0

    def range(self) -> tuple[date, date]:
        """Give the first and the last day that the page may have."""
        first = date.min if self.from_ is UNSET else self.from_
        return first, min(day for day in (self.to, self.cursor, date.max) if day is not UNSET)

    def links(self, path: str, following: date | None) -> bytes:
        """Write the `Link` header (RFC 8288): to the first page, and to the one that begins with `following`."""
        return page_links(path, msgspec.to_builtins(self), "cursor", following)


async def list_activity() -> HttpResponse:
    """List what happened, day by day.

    Days of UTC, the newest first; today as it is so far. A day on which nothing happened is left out: at its end
    all was as on the day before. What is said of a day that is over never changes. Follow `rel="next"` of the
    `Link` header until there is none. A page is of one moment, its `Log-Position`.
    """
    request = current.get()
    query: ActivityQuery = request.query
    await request.wait_for_position(query.min_position)
    page = await request.services.activity.page(*query.range(), query.limit)
    if page is None:
        raise Problem(PROJECTION_NOT_READY)
    request.set_log_position(page.position)
    return json_response(200, list(map(_shown, page.days)), (b"link", query.links(request.path, page.next)))


def _shown(view: DayView) -> Day:
    return Day(
        view.day,
        view.created,
        view.changed,
        view.deleted,
        view.restored,
        view.active_items,
        Raw(number(view.stock_value)),
    )


ROUTES = [
    Route(
        "GET",
        "/activity",
        list_activity,
        tag="activity",
        scope=Scope.ITEMS_READ,
        query=ActivityQuery,
        answers=(
            Answer(
                200,
                "A page of days",
                list[Day],
                ("Link",),
                [
                    {
                        "day": "2026-11-23",
                        "created": 5,
                        "changed": 1,
                        "deleted": 1,
                        "restored": 1,
                        "alive": 5,
                        "stock_value": 24.5,
                    }
                ],
            ),
        ),
        problems=(POSITION_NOT_REACHED, PROJECTION_NOT_READY, STORAGE_FULL),
    ),
]
